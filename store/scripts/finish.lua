#!lua flags=allow-oom
-- ARGV: event id, fence, record JSON, job id, status, category, event status, signature, memory JSON,
--       most records, days to remember the id (ms), dead letter JSON, most dead letters.
-- Record, lease, state and counts change together. Answers ok | already | fenced.
local id, mine, record, job, status = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local category, reported, signature, memory = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local most, remember, letter, most_dead = tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12], tonumber(ARGV[13])
local key = incident_key(id)
local have = redis.call('HMGET', key, 'fence', 'state')
if have[2] == 'done' then return have[1] == mine and 'already' or 'fenced' end
if not holds(id, mine) then return 'fenced' end

local now = now_ms()
if record ~= '' then
  local seq = redis.call('INCR', history_seq)
  local gone = redis.call('RPUSH', history, record) - most
  if gone > 0 then redis.call('LTRIM', history, gone, -1) end
  -- Each index drops what has left the list whenever it is written to; readers skip the rest.
  for _, index in ipairs({history_ids, by_job_key(job), by_status_key(status), by_category_key(category)}) do
    redis.call('ZADD', index, seq, id)
    redis.call('ZREMRANGEBYSCORE', index, '-inf', seq - most)
  end
  redis.call('HSET', key, 'seq', seq)
  count('records', status)
  if category ~= '' then count('diagnoses', category) end
  redis.call('ZADD', jobs, now, job)
  redis.call('HINCRBY', job_key(job), 'reports:' .. reported, 1)
  redis.call('HINCRBY', job_key(job), 'records:' .. status, 1)
  redis.call('HSET', job_key(job), 'last_event_id', id, 'last_reported', reported, 'last_status', status,
             'last_category', category, 'last_ms', now, 'at:' .. reported, now)
end
if letter ~= '' then
  if redis.call('RPUSH', dead, letter) > most_dead then redis.call('LPOP', dead) end
  count('events', 'dead')
end
if memory ~= '' then
  redis.call('LPUSH', memory_key(signature), memory)
  redis.call('LTRIM', memory_key(signature), 0, 19)
  redis.call('PEXPIRE', memory_key(signature), 15552000000)
end
local gone = {'raw', 'size', 'saved', 'counted'}
for _, field in ipairs(redis.call('HKEYS', key)) do
  if field:sub(1, 2) == 'p:' then gone[#gone + 1] = field end
end
redis.call('HDEL', key, unpack(gone))
redis.call('HSET', key, 'state', 'done', 'status', status, 'finished_ms', now)
redis.call('PEXPIRE', key, remember)
redis.call('PEXPIRE', fx_key(id), remember)
redis.call('ZREM', leases, id)
redis.call('ZREM', open, id)
redis.call('SREM', awaiting_key(job), id)
return 'ok'
