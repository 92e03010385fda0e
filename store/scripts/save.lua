#!lua flags=allow-oom
-- ARGV: event id, fence, then (name, JSON) for each thing worked out.
if not holds(ARGV[1], ARGV[2]) then return 'fenced' end
for i = 3, #ARGV, 2 do redis.call('HSET', incident_key(ARGV[1]), 'p:' .. ARGV[i], ARGV[i + 1]) end
return 'ok'
