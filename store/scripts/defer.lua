#!lua flags=allow-oom
-- ARGV: event id, fence, wait (ms), job id to watch for a success ('' = none), count as delivered (1|0).
-- The incident is put aside with its progress; any worker goes on when it is due.
local id, key = ARGV[1], incident_key(ARGV[1])
local have = redis.call('HMGET', key, 'fence', 'state')
if have[1] ~= ARGV[2] then return 'fenced' end
if have[2] == 'delayed' then return 'ok' end
if have[2] ~= 'running' then return 'fenced' end
local due = now_ms() + tonumber(ARGV[3])
redis.call('HSET', key, 'state', 'delayed', 'due_ms', due)
redis.call('ZADD', delayed, due, id)
redis.call('ZREM', leases, id)
if ARGV[4] ~= '' then redis.call('SADD', awaiting_key(ARGV[4]), id) end
if ARGV[5] == '0' and redis.call('HINCRBY', key, 'deliveries', -1) == 0 then redis.call('HDEL', key, 'deliveries') end
return 'ok'
