#!lua
-- ARGV: the dead letter exactly as listed, event id, payload.
-- Brings a dead letter back once; the effect journal stays, so that nothing done before is done again.
if redis.call('LREM', dead, 1, ARGV[1]) == 0 then return 'gone' end
local id, now = ARGV[2], now_ms()
redis.call('DEL', incident_key(id))
redis.call('HSET', incident_key(id), 'state', 'queued', 'received_ms', now)
redis.call('PERSIST', fx_key(id))
redis.call('ZADD', open, now, id)
redis.call('RPUSH', events, ARGV[3])
count('events', 'replayed')
return 'ok'
