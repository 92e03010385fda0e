#!lua
-- ARGV: event id, fence, step, nonce, idempotent (1|0), counts (1|0), job id, most for the job, most for all,
--       lease (ms).
-- Answers {go | done | unknown | over_budget | paused | fenced, text}. The intention is stored and the lease
-- renewed with a go; a go for somebody else's intention is given only where the operator declared the action
-- idempotent. The text of unknown is the age of that intention in ms.
local id, mine, step, nonce = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not holds(id, mine) then return {'fenced', ''} end
local have = redis.call('HMGET', fx_key(id), step .. ':state', step .. ':nonce', step .. ':outcome', step .. ':at')
if have[1] == 'done' then return {'done', have[3]} end
local now = now_ms()
if have[1] == 'intent' and have[2] ~= nonce and ARGV[5] ~= '1' then
  return {'unknown', tostring(now - tonumber(have[4] or now))}
end
if have[1] ~= 'intent' and ARGV[6] == '1' then
  if redis.call('EXISTS', paused) == 1 then
    return {'paused', redis.call('HGET', paused, 'by') or ''}
  end
  local hour, member = now - 3600000, id .. ':' .. step
  local per_job = budget_job_key(ARGV[7])
  redis.call('ZREMRANGEBYSCORE', per_job, '-inf', hour)
  redis.call('ZREMRANGEBYSCORE', budget, '-inf', hour)
  if redis.call('ZCARD', per_job) >= tonumber(ARGV[8]) then return {'over_budget', 'job'} end
  if redis.call('ZCARD', budget) >= tonumber(ARGV[9]) then return {'over_budget', 'all'} end
  redis.call('ZADD', per_job, now, member)
  redis.call('ZADD', budget, now, member)
  redis.call('PEXPIRE', per_job, 3600000)
end
if have[2] ~= nonce or have[1] ~= 'intent' then
  redis.call('HSET', fx_key(id), step .. ':state', 'intent', step .. ':nonce', nonce, step .. ':fence', mine, step .. ':at', now)
end
redis.call('ZADD', leases, now + tonumber(ARGV[10]), id)
return {'go', ''}
