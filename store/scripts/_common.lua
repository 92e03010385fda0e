local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end
local function now_ms() return math.floor(now_us() / 1000) end

-- Where an event stands in the order of arrival: by the microsecond, then by its place in one call.
local function arrival(place) return string.format('%.0f', now_us() + place) end

-- The holder of the current fence, and nobody else, may change an incident.
local function holds(id, fence)
  local have = redis.call('HMGET', incident_key(id), 'fence', 'state')
  return have[1] == fence and have[2] == 'running'
end

local function count(metric, label)
  redis.call('HINCRBY', totals, metric .. '|' .. label, 1)
end

-- What our own API writes begins with the id and the job; anybody else's payload says them anywhere.
local function job_of(raw)
  return raw:match('^{"event_id":"[%w._:-]+","job_id":"([^"\\]*)"')
end

-- The id that a payload says of itself, as `claim` reads it.
local function id_of(raw)
  local id = raw:match('^{"event_id":"([%w._:-]+)"')
  if id then return id end
  local ok, body = pcall(cjson.decode, raw)
  if ok and type(body) == 'table' and type(body.event_id) == 'string' then return body.event_id end
end
