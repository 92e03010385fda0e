#!lua
-- ARGV: worker, nonce, lease (ms), how many, how many suspects among them, longest payload (bytes).
-- Answers {fence, {"id deliveries received_ms accepted size", payload, name, progress, …}, …}; the same nonce gets the
-- same incidents again. A nonce NAME-7 that arrives after NAME-8 takes nothing. Accepted: the payload came
-- through `enqueue`, so it was checked and redacted before.
local worker, nonce, lease, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local suspects, longest = tonumber(ARGV[5]), tonumber(ARGV[6])
local now, taken = now_ms(), {}
local at, ends = digits(now), digits(now + lease)
local SUSPECT = 3 -- from its third delivery on an incident may be what kills its workers

-- In as few parts as can be: each part of an answer costs the client more than it costs us.
local function head(id, deliveries, received, accepted, whole)
  return id .. ' ' .. deliveries .. ' ' .. received .. ' ' .. (accepted and '1' or '0') .. ' ' .. whole
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
  answer[2] = redis.call('HGET', payloads, id) or ''
  answer[1] = head(id, fields.deliveries or 0, fields.received_ms or 0, fields.nonce, fields.whole or #answer[2])
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
  local name, number = nonce:match('^(.+)%-(%d+)$')
  local last_name, last_number = words[1]:match('^(.+)%-(%d+)$')
  if name and name == last_name and tonumber(number) < tonumber(last_number) then return {'0'} end
end

-- Anybody may write to this key. Should it be no list, nothing has been taken and counted yet.
redis.call('LLEN', events)

-- Grows even if a failover forgot some: never below the clock in microseconds.
local number = math.max(tonumber(redis.call('GET', fence) or '0') + 1, now * 1000)
local mine = digits(number)

local ids, leased = {}, {}
local function lend(id)
  ids[#ids + 1] = id
  leased[#leased + 1] = ends
  leased[#leased + 1] = id
end

-- Take what stands in a set. A delivery counts when the one before it was lost, or was given back uncounted.
local function take(from, id, lost)
  local key = incident_key(id)
  local have = redis.call('HMGET', key, 'state', 'deliveries', 'released')
  if not have[1] then -- the server forgot the incident itself: nothing is left to handle
    redis.call('ZREM', from, id)
    redis.call('HDEL', payloads, id)
    return
  end
  local counts = (lost or have[3]) and 1 or 0
  local deliveries = tonumber(have[2] or '0') + counts
  if deliveries >= SUSPECT then
    if suspects < 1 then
      redis.call('ZADD', from, now + 100, id) -- looked at again soon; nobody behind it waits for it
      return
    end
    suspects = suspects - 1
  end
  if from ~= leases then redis.call('ZREM', from, id) end
  redis.call('HSET', key, 'state', 'running', 'fence', mine, 'owner', worker, 'claimed_ms', at,
             'deliveries', deliveries, 'counted', counts, 'saved', 0)
  redis.call('HDEL', key, 'released', 'due_ms')
  if from == waiting then redis.call('HSET', key, 'verdict', 'expired', 'p:approval', '{"verdict":"expired"}') end
  lend(id)
  taken[#taken + 1] = describe(id)
end

local function take_due(from, lost)
  if #taken >= most then return end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', from, '-inf', now, 'LIMIT', 0, most - #taken)) do
    take(from, id, lost)
  end
end

take_due(delayed, false)
take_due(leases, true)
take_due(waiting, false)

if #taken < most then
  local waits = redis.call('LRANGE', events, 0, most - #taken - 1)
  local opened, kept, duplicates = {}, {}, 0
  for i, raw in ipairs(waits) do
    -- Our own API writes the id first. Anybody may have pushed anything else: without a usable id it
    -- gets one of ours, and the worker says what is wrong with it.
    local id, job, whole = raw:match('^{"event_id":"([%w._:-]+)"'), nil, #raw
    local mark = mark_of(raw) -- before it is cut
    if whole > longest then
      raw = raw:sub(1, 4096) -- nobody reads this much; its head tells people what it was
    elseif not id then
      local ok, body = pcall(cjson.decode, raw)
      if ok and type(body) == 'table' then
        if type(body.event_id) == 'string' then id = body.event_id:match('^[%w._:-]+$') end
        if type(body.job_id) == 'string' then job = body.job_id end
        if type(body.job_id) == 'number' then job = string.format('%.0f', body.job_id) end
      end
    end
    if not id or #id > 128 then id = 'raw-' .. mine .. '-' .. i end
    local key = incident_key(id)
    local have = redis.call('HMGET', key, 'state', 'mark', 'received_ms')
    local accepted, received = have[2] == mark, have[3] or at
    -- What somebody else pushed under an accepted event's id is a duplicate of it, whichever comes first.
    if not have[1] or (have[1] == 'queued' and (accepted or not have[2])) then
      if not have[1] then
        opened[#opened + 1] = at
        opened[#opened + 1] = id
      end
      if accepted then -- `enqueue` wrote the rest
        redis.call('HSET', key, 'state', 'running', 'fence', mine, 'owner', worker, 'claimed_ms', at, 'deliveries', '1')
      else
        redis.call('HSET', key, 'state', 'running', 'fence', mine, 'owner', worker, 'claimed_ms', at, 'deliveries', '1',
                   'received_ms', received, 'job_id', job or job_of(raw) or '', 'whole', whole)
        if not have[1] then redis.call('HSET', key, 'arrival', arrival(now)) end
      end
      kept[#kept + 1] = id
      kept[#kept + 1] = raw
      lend(id)
      -- Nothing was worked out before, so what is written here is all there is to say.
      taken[#taken + 1] = {head(id, '1', received, accepted, whole), raw}
    else
      duplicates = duplicates + 1
    end
  end
  if #kept > 0 then redis.call('HSET', payloads, unpack(kept)) end
  if #waits > 0 then redis.call('LTRIM', events, #waits, -1) end
  if #opened > 0 then
    note_arrivals()
    redis.call('ZADD', open, unpack(opened))
    redis.call('HINCRBY', totals, 'events|pushed', #opened / 2)
  end
  if duplicates > 0 then redis.call('HINCRBY', totals, 'events|duplicate', duplicates) end
end

if #taken == 0 then return {'0'} end
redis.call('ZADD', leases, unpack(leased))
redis.call('SET', fence, mine)
redis.call('HSET', claims, worker, nonce .. ' ' .. mine .. ' ' .. table.concat(ids, ' '))
table.insert(taken, 1, mine)
return taken
