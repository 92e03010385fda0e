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
if ARGV[4] ~= '' then
  -- A success that came while the incident was in hand found nobody waiting for it; it counts all the same.
  local well = redis.call('HMGET', job_key(ARGV[4]), 'well_ms', 'well_by', 'well_arrival')
  if well[1] and tonumber(well[1]) >= tonumber(have[3] or '0') and tonumber(well[3]) > tonumber(have[4] or '0') then
    redis.call('HSET', key, 'p:recovered_by', cjson.encode(well[2]))
    due = now_ms()
  else
    redis.call('SADD', awaiting_key(ARGV[4]), id)
  end
end
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
