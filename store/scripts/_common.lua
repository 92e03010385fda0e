local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- A number for many commands is written out once: each of them would write it out anew.
local function digits(number) return string.format('%.0f', number) end

-- Where an event stands in the order of arrival. Grows like the fence: never below the clock in microseconds.
local latest
local function arrival(now)
  latest = math.max((latest or tonumber(redis.call('GET', arrivals) or '0')) + 1, now * 1000)
  return digits(latest)
end
local function note_arrivals()
  if latest then redis.call('SET', arrivals, digits(latest)) end
end

-- The holder of the current fence, and nobody else, may change an incident.
local function holds(id, fence)
  local have = redis.call('HMGET', incident_key(id), 'fence', 'state')
  return have[1] == fence and have[2] == 'running'
end

-- Said by whatever writes more about an incident than its straight way from claim to end: its end then tidies up.
local function leaves_trail(key) redis.call('HSET', key, 'trail', '1') end

-- Lets an incident hear of the job's next success. A success that came while it was in hand found nobody waiting;
-- it counts all the same, and is said at once.
local function watch(id, job, claimed, arrived)
  local well = redis.call('HMGET', job_key(job), 'well_ms', 'well_by', 'well_arrival')
  if well[1] and tonumber(well[1]) >= tonumber(claimed or '0') and tonumber(well[3]) > tonumber(arrived or '0') then
    redis.call('HSET', incident_key(id), 'p:recovered_by', cjson.encode(well[2]))
    return true
  end
  redis.call('SADD', awaiting_key(job), id)
  return false
end

local function count(metric, label)
  redis.call('HINCRBY', totals, metric .. '|' .. label, 1)
end

-- Tells an accepted payload from another under its id: what our API writes ends in the microsecond of its receipt,
-- which nobody can guess who pushes in advance.
local function mark_of(raw) return #raw .. raw:sub(-20) end

-- What our own API writes begins with the id and the job; anybody else's payload says them anywhere.
local function job_of(raw)
  local job = raw:match('^{"event_id":"[%w._:-]+","job_id":"([^"\\]*)"')
  if job or not raw:find('^{"event_id":"[%w._:-]+","job_id":"') then return job end
  -- A name holds no control characters, so these two can stand for what is escaped in it.
  local plain = raw:sub(1, 4096):gsub('\\\\', '\1'):gsub('\\"', '\2')
  job = plain:match('^{"event_id":"[%w._:-]+","job_id":"([^"\\]*)"')
  return job and (job:gsub('\1', '\\'):gsub('\2', '"'))
end

-- The id that a payload says of itself, as `claim` reads it.
local function id_of(raw)
  local id = raw:match('^{"event_id":"([%w._:-]+)"')
  if id then return id end
  local ok, body = pcall(cjson.decode, raw)
  if ok and type(body) == 'table' and type(body.event_id) == 'string' then return body.event_id end
end
