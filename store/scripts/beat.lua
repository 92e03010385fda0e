#!lua flags=allow-oom
-- ARGV: worker, JSON about it, lease (ms), then (event id, fence) for each incident in hand.
-- Answers the ids that are no longer this worker's.
local now, lost = now_ms(), {}
redis.call('ZADD', workers, now, ARGV[1])
redis.call('HSET', worker_info, ARGV[1], ARGV[2])
for i = 4, #ARGV, 2 do
  if holds(ARGV[i], ARGV[i + 1]) then
    redis.call('ZADD', leases, now + tonumber(ARGV[3]), ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
