#!lua flags=allow-oom
-- ARGV: event id, fence, plan hash, how long to wait for a decision (ms), job id whose success makes it
--       needless ('' = none).
-- Answers ok | approved (this very plan was approved before: go on) | fenced.
local id, key = ARGV[1], incident_key(ARGV[1])
local have = redis.call('HMGET', key, 'fence', 'state', 'plan_hash', 'verdict', 'decided_hash', 'claimed_ms', 'arrival')
if have[1] ~= ARGV[2] then return 'fenced' end
if have[3] == ARGV[3] and (have[2] == 'waiting' or have[2] == 'delayed') then return 'ok' end
if have[2] ~= 'running' then return 'fenced' end
if have[4] == 'approved' and have[5] == ARGV[3] then return 'approved' end
leaves_trail(key)
redis.call('HSET', key, 'plan_hash', ARGV[3])
redis.call('HDEL', key, 'verdict', 'decided_hash', 'decided_by', 'p:approval')
redis.call('ZREM', leases, id)
if ARGV[5] ~= '' and watch(id, ARGV[5], have[6], have[7]) then
  local now = now_ms()
  redis.call('HSET', key, 'state', 'delayed', 'due_ms', now)
  redis.call('ZADD', delayed, now, id)
  return 'ok'
end
local ends = now_ms() + tonumber(ARGV[4])
redis.call('HSET', key, 'state', 'waiting', 'expires_ms', ends)
redis.call('ZADD', waiting, ends, id)
return 'ok'
