#!lua flags=allow-oom
-- ARGV: event id, fence, wait (ms), job id to watch for a success ('' = none), signature whose answer is awaited ('' = none).
-- The incident is put aside with its progress; any worker goes on when it is due.
local id, key = ARGV[1], incident_key(ARGV[1])
local have = redis.call('HMGET', key, 'fence', 'state', 'claimed_ms', 'arrival')
if have[1] ~= ARGV[2] then return 'fenced' end
if have[2] == 'delayed' then return 'ok' end
if have[2] ~= 'running' then return 'fenced' end
leaves_trail(key)
local due = now_ms() + tonumber(ARGV[3])
if ARGV[4] ~= '' and watch(id, ARGV[4], have[3], have[4]) then due = now_ms() end
if ARGV[5] ~= '' then
  if redis.call('EXISTS', asking_key(ARGV[5])) == 1 then
    redis.call('SADD', askers_key(ARGV[5]), id)
    redis.call('PEXPIRE', askers_key(ARGV[5]), 86400000)
  else
    due = now_ms() -- the answer came in between
  end
end
redis.call('HSET', key, 'state', 'delayed', 'due_ms', due)
redis.call('ZADD', delayed, due, id)
redis.call('ZREM', leases, id)
return 'ok'
