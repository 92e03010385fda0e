#!lua
-- ARGV: event id, feedback JSON, signature ('' = none), verdict for the totals.
-- The same feedback twice is kept once. Answers ok | unknown.
if not redis.call('ZSCORE', history_ids, ARGV[1]) then return 'unknown' end
local key = feedback_key(ARGV[1])
for _, earlier in ipairs(redis.call('LRANGE', key, -20, -1)) do
  if earlier == ARGV[2] then return 'ok' end
end
redis.call('RPUSH', key, ARGV[2])
redis.call('LTRIM', key, -100, -1)
if ARGV[3] ~= '' then
  redis.call('LPUSH', lessons_key(ARGV[3]), ARGV[2])
  redis.call('LTRIM', lessons_key(ARGV[3]), 0, 49)
end
-- What people find wrong is no answer for the next failure of its kind.
if ARGV[3] ~= '' and ARGV[4] ~= 'right' and ARGV[4] ~= 'none' then redis.call('DEL', answer_key(ARGV[3])) end
count('feedback', ARGV[4])
return 'ok'
