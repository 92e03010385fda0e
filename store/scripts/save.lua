#!lua flags=allow-oom
-- ARGV: event id, fence, number of this call (counts up while one worker holds it), then (name, JSON) for each thing
-- worked out. A call delivered late does not overwrite what the same worker saved since.
local id, key = ARGV[1], incident_key(ARGV[1])
if not holds(id, ARGV[2]) then return 'fenced' end
local last = redis.call('HGET', key, 'saved')
if last and tonumber(last) >= tonumber(ARGV[3]) then return 'ok' end
redis.call('HSET', key, 'saved', ARGV[3])
leaves_trail(key)
for i = 4, #ARGV, 2 do redis.call('HSET', key, 'p:' .. ARGV[i], ARGV[i + 1]) end
return 'ok'
