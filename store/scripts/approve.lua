#!lua
-- ARGV: event id, verdict (approved | rejected), plan hash ('' = whichever, only for rejected), who, why.
-- Answers {ok | already | changed | expired | not_waiting | unknown, text}. Text: who decided, or the plan's hash.
local id, verdict, plan, who, key = ARGV[1], ARGV[2], ARGV[3], ARGV[4], incident_key(ARGV[1])
local have = redis.call('HMGET', key, 'state', 'plan_hash', 'expires_ms', 'verdict', 'decided_hash', 'decided_by')
if not have[1] then return {'unknown', ''} end
if have[1] ~= 'waiting' then
  if not have[4] then return {'not_waiting', ''} end
  if have[4] == 'expired' then return {'expired', have[3] or ''} end
  local same = have[4] == verdict and have[6] == who and (plan == '' or plan == have[5])
  return {same and 'ok' or 'already', have[4] .. ' by ' .. (have[6] or '')}
end
if have[2] ~= plan and not (plan == '' and verdict == 'rejected') then return {'changed', have[2]} end
local now = now_ms()
if tonumber(have[3]) <= now then return {'expired', have[3]} end
local said = cjson.encode({verdict = verdict, by = who, why = ARGV[5], at_ms = now, plan_hash = have[2]})
redis.call('HSET', key, 'state', 'delayed', 'due_ms', now, 'verdict', verdict, 'decided_hash', have[2],
           'decided_by', who, 'p:approval', said)
redis.call('ZREM', waiting, id)
redis.call('ZADD', delayed, now, id)
return {'ok', verdict .. ' by ' .. who}
