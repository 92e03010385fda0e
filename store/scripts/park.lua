#!lua flags=allow-oom
-- ARGV: event id, fence, plan hash, how long to wait for a decision (ms).
-- Answers ok | approved (this very plan was approved before: go on) | fenced.
local id, key = ARGV[1], incident_key(ARGV[1])
local have = redis.call('HMGET', key, 'fence', 'state', 'plan_hash', 'verdict', 'decided_hash')
if have[1] ~= ARGV[2] then return 'fenced' end
if have[2] == 'waiting' and have[3] == ARGV[3] then return 'ok' end
if have[2] ~= 'running' then return 'fenced' end
if have[4] == 'approved' and have[5] == ARGV[3] then return 'approved' end
local ends = now_ms() + tonumber(ARGV[4])
leaves_trail(key)
redis.call('HSET', key, 'state', 'waiting', 'plan_hash', ARGV[3], 'expires_ms', ends)
redis.call('HDEL', key, 'verdict', 'decided_hash', 'decided_by', 'p:approval')
redis.call('ZADD', waiting, ends, id)
redis.call('ZREM', leases, id)
return 'ok'
