#!lua flags=allow-oom
-- ARGV: event id, fence, step, nonce, outcome JSON, kind (done | never_sent | found), label for the totals.
-- done: the effect ended. never_sent: nothing can have happened, so the intention is taken back.
-- found: a probe shows that the effect of another's intention happened.
-- A result that comes after the lease went to another is kept as evidence and changes nothing.
local id, step, nonce, kind = ARGV[1], ARGV[3], ARGV[4], ARGV[6]
local have = redis.call('HMGET', fx_key(id), step .. ':state', step .. ':nonce')
if kind ~= 'never_sent' and have[1] == 'done' and have[2] == nonce then return 'ok' end
if not holds(id, ARGV[2]) then
  local remembered = redis.call('PTTL', incident_key(id))
  if kind == 'done' and remembered ~= -2 then
    local journal = redis.call('EXISTS', fx_key(id)) == 1 -- it knows itself for how long
    redis.call('HSETNX', fx_key(id), 'late:' .. step, ARGV[5])
    if remembered > 0 and not journal then redis.call('PEXPIRE', fx_key(id), remembered) end
  end
  return 'fenced'
end
-- Whoever repeats an intention that was taken back and made anew must not touch the new one.
local own = have[1] == 'intent' and have[2] == nonce
if kind == 'never_sent' then
  if own then redis.call('HDEL', fx_key(id), step .. ':state', step .. ':nonce', step .. ':fence', step .. ':at') end
  return 'ok'
end
-- Done, though no intention stands here: the server forgot it (a power cut, a failover), and who did it still holds
-- the incident. To forget the effect as well would let somebody do it again.
local forgotten = not have[1] and kind == 'done'
if own or forgotten or (kind == 'found' and have[1] == 'intent') then
  redis.call('HSET', fx_key(id), step .. ':state', 'done', step .. ':nonce', nonce, step .. ':outcome', ARGV[5])
  count('effects', ARGV[7])
  return 'ok'
end
return 'unasked'
