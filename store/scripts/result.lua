#!lua flags=allow-oom
-- ARGV: event id, fence, step, nonce, outcome JSON, kind (done | never_sent), label for the totals.
-- A result that comes after the lease went to another is kept as evidence and changes nothing.
local id, step = ARGV[1], ARGV[3]
if not holds(id, ARGV[2]) then
  redis.call('HSET', fx_key(id), 'late:' .. step, ARGV[5])
  return 'fenced'
end
local state = redis.call('HGET', fx_key(id), step .. ':state')
if ARGV[6] == 'never_sent' then
  redis.call('HDEL', fx_key(id), step .. ':state', step .. ':nonce')
  return 'ok'
end
if state ~= 'done' then
  redis.call('HSET', fx_key(id), step .. ':state', 'done', step .. ':outcome', ARGV[5])
  count('effects', ARGV[7])
end
return 'ok'
