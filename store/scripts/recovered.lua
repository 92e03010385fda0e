#!lua flags=allow-oom
-- ARGV: job id, event id of the success, its fence.
-- Incidents that wait for the job to be well are told, and are due at once. Answers their ids.
-- Only the holder of the success may tell, so that a call delivered late does not report it a second time.
-- A success proves nothing about a failure that arrived after it, whichever is handled first.
if not holds(ARGV[2], ARGV[3]) then return {} end
local function arrived(id) return tonumber(redis.call('HGET', incident_key(id), 'arrival') or '0') end
local told, now, mine, job = {}, now_ms(), arrived(ARGV[2]), job_key(ARGV[1])
if mine > tonumber(redis.call('HGET', job, 'well_arrival') or '0') then
  redis.call('HSET', job, 'well_ms', now, 'well_by', ARGV[2], 'well_arrival', string.format('%.0f', mine))
end
for _, id in ipairs(redis.call('SMEMBERS', awaiting_key(ARGV[1]))) do
  if arrived(id) < mine then
    told[#told + 1] = id
    if redis.call('ZSCORE', delayed, id) then
      redis.call('HSET', incident_key(id), 'p:recovered_by', cjson.encode(ARGV[2]), 'due_ms', now)
      redis.call('ZADD', delayed, now, id)
    elseif redis.call('ZREM', waiting, id) == 1 then -- nobody need be asked any more
      redis.call('HSET', incident_key(id), 'state', 'delayed', 'p:recovered_by', cjson.encode(ARGV[2]), 'due_ms', now)
      redis.call('ZADD', delayed, now, id)
    end
    redis.call('SREM', awaiting_key(ARGV[1]), id)
  end
end
return told
