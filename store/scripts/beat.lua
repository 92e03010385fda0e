#!lua flags=allow-oom
-- ARGV: worker, JSON about it, lease (ms), then (event id, fence) for each incident in hand.
-- Answers the ids that another holds by now. What its own holder has ended is neither renewed nor lost.
local now, lost = now_ms(), {}
redis.call('ZADD', workers, now, ARGV[1])
redis.call('HSET', worker_info, ARGV[1], ARGV[2])
for i = 4, #ARGV, 2 do
  local have = redis.call('HMGET', incident_key(ARGV[i]), 'fence', 'state')
  if have[1] ~= ARGV[i + 1] then
    lost[#lost + 1] = ARGV[i]
  elseif have[2] == 'running' then
    redis.call('ZADD', leases, now + tonumber(ARGV[3]), ARGV[i])
  end
end
-- What is left of workers that were killed; nobody repeats a claim after a day.
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', now - 86400000, 'LIMIT', 0, 10)) do
  redis.call('ZREM', workers, gone)
  redis.call('HDEL', worker_info, gone)
  redis.call('HDEL', claims, gone)
end
return lost
