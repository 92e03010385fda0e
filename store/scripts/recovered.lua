#!lua flags=allow-oom
-- ARGV: job id, event id of the success, its fence.
-- Incidents that wait for the job to be well are told, and are due at once. Answers their ids.
-- Only the holder of the success may tell, so that a call delivered late does not report it a second time.
if not holds(ARGV[2], ARGV[3]) then return {} end
local told, now = redis.call('SMEMBERS', awaiting_key(ARGV[1])), now_ms()
local last = redis.call('HGET', job_key(ARGV[1]), 'well_by')
if last ~= ARGV[2] then redis.call('HSET', job_key(ARGV[1]), 'well_ms', now, 'well_by', ARGV[2]) end
for _, id in ipairs(told) do
  if redis.call('ZSCORE', delayed, id) then
    redis.call('HSET', incident_key(id), 'p:recovered_by', cjson.encode(ARGV[2]), 'due_ms', now)
    redis.call('ZADD', delayed, now, id)
  end
  redis.call('SREM', awaiting_key(ARGV[1]), id)
end
return told
