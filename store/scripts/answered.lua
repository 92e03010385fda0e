#!lua flags=allow-oom
-- ARGV: event id, fence, signature, by, answer JSON ('' = none worth keeping), time to keep it (ms),
-- then (field of the totals, amount) for each thing counted.
-- Only who asks may answer. Those that wait for this answer are due at once. Answers ok | late.
local id, signature, now = ARGV[1], ARGV[3], now_ms()
if redis.call('GET', asking_key(signature)) ~= id .. ' ' .. ARGV[2] then return 'late' end
redis.call('DEL', asking_key(signature))
if ARGV[5] ~= '' then
  redis.call('DEL', answer_key(signature))
  redis.call('HSET', answer_key(signature), 'by', ARGV[4], 'body', ARGV[5], 'event_id', id, 'at_ms', now)
  redis.call('PEXPIRE', answer_key(signature), ARGV[6])
end
for _, waiting_id in ipairs(redis.call('SMEMBERS', askers_key(signature))) do
  if redis.call('ZSCORE', delayed, waiting_id) then
    redis.call('HSET', incident_key(waiting_id), 'due_ms', now)
    redis.call('ZADD', delayed, now, waiting_id)
  end
end
redis.call('DEL', askers_key(signature))
for i = 7, #ARGV, 2 do redis.call('HINCRBYFLOAT', totals, ARGV[i], ARGV[i + 1]) end
return 'ok'
