#!lua flags=allow-oom
-- ARGV: job id, event id of the success.
-- Incidents that wait for the job to be well are told, and are due at once. Answers their ids.
local told = redis.call('SMEMBERS', awaiting_key(ARGV[1]))
for _, id in ipairs(told) do
  if redis.call('ZSCORE', delayed, id) then
    redis.call('HSET', incident_key(id), 'p:recovered_by', cjson.encode(ARGV[2]))
    redis.call('ZADD', delayed, now_ms(), id)
  end
  redis.call('SREM', awaiting_key(ARGV[1]), id)
end
return told
