#!lua
-- ARGV: worker, nonce, lease (ms), how many.
-- Answers {fence, {"id deliveries received_ms accepted", payload, name, progress, …}, …}; the same nonce gets the
-- same incidents again. Accepted (1|0): it came through `enqueue`, so it was checked and redacted before.
local worker, nonce, lease, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local taken = {}

-- In as few parts as can be: each part of an answer costs the client more than it costs us.
local function head(id, deliveries, received, accepted)
  return id .. ' ' .. deliveries .. ' ' .. received .. ' ' .. (accepted and '1' or '0')
end

local function describe(id)
  local have = redis.call('HGETALL', incident_key(id))
  local fields, answer = {}, {'', ''}
  for i = 1, #have, 2 do
    if have[i]:sub(1, 2) == 'p:' then
      answer[#answer + 1] = have[i]:sub(3)
      answer[#answer + 1] = have[i + 1]
    else
      fields[have[i]] = have[i + 1]
    end
  end
  answer[1] = head(id, fields.deliveries or 0, fields.received_ms or 0, fields.nonce)
  answer[2] = fields.raw or ''
  return answer
end

local last = redis.call('HGET', claims, worker)
if last then
  local words = {}
  for word in last:gmatch('%S+') do words[#words + 1] = word end
  if words[1] == nonce then
    local answer = {words[2]}
    for i = 3, #words do
      if holds(words[i], words[2]) then answer[#answer + 1] = describe(words[i]) end
    end
    return answer
  end
end

-- Grows even if a failover forgot some: never below the clock in microseconds.
local number = math.max(tonumber(redis.call('GET', fence) or '0') + 1, now * 1000)
local mine = string.format('%.0f', number)

local leased = {}
local function lend(id)
  leased[#leased + 1] = now + lease
  leased[#leased + 1] = id
  taken[#taken + 1] = id
end

-- An incident from before; what is known of it has to be looked up.
local function take(id, delivered)
  redis.call('HSET', incident_key(id), 'state', 'running', 'fence', mine, 'owner', worker, 'claimed_ms', now)
  if delivered then redis.call('HINCRBY', incident_key(id), 'deliveries', 1) end
  lend(id)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, most)) do
  redis.call('ZREM', delayed, id)
  take(id, redis.call('HEXISTS', incident_key(id), 'deliveries') == 0)
end
if #taken < most then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, most - #taken)) do
    take(id, true)
  end
end
local answer = {mine}
for _, id in ipairs(taken) do answer[#answer + 1] = describe(id) end

if #taken < most then
  local payloads = redis.call('LRANGE', events, 0, most - #taken - 1)
  local opened, pushed, duplicates = {}, 0, 0
  for i, raw in ipairs(payloads) do
    -- Our own API writes the id first. Anybody may have pushed anything else: without a usable id it
    -- gets one of ours, and the worker says what is wrong with it.
    local id = raw:match('^{"event_id":"([%w._:-]+)"')
    if not id then
      local ok, body = pcall(cjson.decode, raw)
      if ok and type(body) == 'table' and type(body.event_id) == 'string' then
        id = body.event_id:match('^[%w._:-]+$')
      end
    end
    if not id or #id > 128 then id = 'raw-' .. mine .. '-' .. i end
    local known = redis.call('HMGET', incident_key(id), 'state', 'received_ms', 'deliveries', 'nonce')
    if not known[1] or known[1] == 'queued' then
      local received, deliveries = known[2] or now, (tonumber(known[3] or '0')) + 1
      redis.call('HSET', incident_key(id), 'state', 'running', 'fence', mine, 'owner', worker, 'claimed_ms', now,
                 'deliveries', deliveries, 'received_ms', received, 'raw', raw)
      if not known[1] then
        opened[#opened + 1] = now
        opened[#opened + 1] = id
        pushed = pushed + 1
      end
      lend(id)
      -- Nothing was worked out before, so what is written here is all there is to say.
      answer[#answer + 1] = {head(id, deliveries, received, known[4]), raw}
    else
      duplicates = duplicates + 1
    end
  end
  if #payloads > 0 then redis.call('LTRIM', events, #payloads, -1) end
  if pushed > 0 then
    redis.call('ZADD', open, unpack(opened))
    redis.call('HINCRBY', totals, 'events|pushed', pushed)
  end
  if duplicates > 0 then redis.call('HINCRBY', totals, 'events|duplicate', duplicates) end
end

if #taken == 0 then return {'0'} end
redis.call('ZADD', leases, unpack(leased))
redis.call('SET', fence, mine)
redis.call('HSET', claims, worker, nonce .. ' ' .. mine .. ' ' .. table.concat(taken, ' '))
return answer
