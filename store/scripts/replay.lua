#!lua
-- ARGV: the dead letter exactly as listed, event id, payload, accepted (1|0), nonce.
-- Brings a dead letter back once; the effect journal stays, so that nothing done before is done again.
-- Accepted: the payload came through `enqueue` and was checked and redacted then. One that does not carry its id
-- gets a new one when it is claimed.
local id, now, key = ARGV[2], now_ms(), incident_key(ARGV[2])
local have = redis.call('HMGET', key, 'state', 'replay')
if have[2] == ARGV[5] then return 'ok' end
if have[1] and have[1] ~= 'done' then return 'open' end
if redis.call('LREM', dead, 1, ARGV[1]) == 0 then return 'gone' end
redis.call('DEL', key)
redis.call('RPUSH', events, ARGV[3])
count('events', 'replayed')
if id_of(ARGV[3]) ~= id then
  redis.call('HSET', key, 'state', 'done', 'replay', ARGV[5])
  redis.call('PEXPIRE', key, 60000)
  return 'ok'
end
redis.call('HSET', key, 'state', 'queued', 'received_ms', now, 'arrival', arrival(now), 'replay', ARGV[5])
if ARGV[4] == '1' then redis.call('HSET', key, 'nonce', ARGV[5], 'mark', mark_of(ARGV[3])) end
note_arrivals()
redis.call('PERSIST', fx_key(id))
redis.call('ZADD', open, now, id)
return 'ok'
