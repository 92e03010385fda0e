#!lua
-- ARGV: most waiting events, nonce, then (event id, payload) for each event.
-- Answers, in order: queued | duplicate | full. The same nonce gets the same answer.
local most = tonumber(ARGV[1])
local now, waiting, answers = now_ms(), redis.call('LLEN', events), {}
local payloads, opened, duplicates, full = {}, {}, 0, 0
for i = 3, #ARGV, 2 do
  local id, raw = ARGV[i], ARGV[i + 1]
  local key = incident_key(id)
  local nonce = ARGV[2] .. ':' .. i -- an id that comes twice in one call is a duplicate too
  local known = redis.call('HMGET', key, 'state', 'nonce')
  if known[1] then
    answers[#answers + 1] = known[2] == nonce and 'queued' or 'duplicate'
    if known[2] ~= nonce then duplicates = duplicates + 1 end
  elseif waiting >= most then
    answers[#answers + 1] = 'full'
    full = full + 1
  else
    redis.call('HSET', key, 'state', 'queued', 'nonce', nonce, 'mark', mark_of(raw), 'received_ms', now,
               'arrival', arrival(now), 'job_id', job_of(raw) or '')
    payloads[#payloads + 1] = raw
    opened[#opened + 1] = now
    opened[#opened + 1] = id
    waiting = waiting + 1
    answers[#answers + 1] = 'queued'
  end
end
if #payloads > 0 then
  note_arrivals()
  redis.call('RPUSH', events, unpack(payloads))
  redis.call('ZADD', open, unpack(opened))
  redis.call('HINCRBY', totals, 'events|accepted', #payloads)
end
if duplicates > 0 then redis.call('HINCRBY', totals, 'events|duplicate', duplicates) end
if full > 0 then redis.call('HINCRBY', totals, 'events|full', full) end
return answers
