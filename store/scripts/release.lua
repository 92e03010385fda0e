#!lua flags=allow-oom
-- ARGV: event id, fence.
-- A worker that stops gives back what it could not finish: due at once, and the delivery does not count.
local id, key = ARGV[1], incident_key(ARGV[1])
local have = redis.call('HMGET', key, 'fence', 'state', 'counted')
if have[1] ~= ARGV[2] then return 'fenced' end
if have[2] == 'delayed' then return 'ok' end
if have[2] ~= 'running' then return 'fenced' end
local now = now_ms()
redis.call('HSET', key, 'state', 'delayed', 'due_ms', now)
if have[3] ~= '0' then -- a first claim always counts, so it does not say so
  redis.call('HINCRBY', key, 'deliveries', -1)
  redis.call('HSET', key, 'released', '1')
end
redis.call('ZADD', delayed, now, id)
redis.call('ZREM', leases, id)
return 'ok'
