#!lua flags=allow-oom
-- ARGV: most records, time to remember ids (ms), most dead letters, then for each incident: its head, record JSON,
--       memory JSON, dead letter JSON. A head is "id fence status category reported signature job", "-" for nothing.
-- Record, lease, state and counts change together. Answers, in order: ok | already | fenced.
-- What many incidents write to one key is written in one go: a command costs more here than what it does.
local most, remember, most_dead = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local at, answers, ending, ids, seen = digits(now_ms()), {}, {}, {}, {}
for i = 4, #ARGV, 4 do
  local id, mine, status, category, reported, signature, job =
    ARGV[i]:match('^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  local key = incident_key(id)
  local have = redis.call('HMGET', key, 'fence', 'state', 'trail')
  if have[1] ~= mine then
    answers[#answers + 1] = 'fenced'
  elseif have[2] == 'done' or seen[id] then
    answers[#answers + 1] = 'already'
  elseif have[2] ~= 'running' then
    answers[#answers + 1] = 'fenced'
  else
    answers[#answers + 1] = 'ok'
    seen[id] = true
    ids[#ids + 1] = id
    ending[#ending + 1] = {
      id = id, key = key, fence = mine, trail = have[3], status = status, category = category, reported = reported,
      signature = signature, job = job, record = ARGV[i + 1], memory = ARGV[i + 2], letter = ARGV[i + 3],
    }
  end
end
if #ending == 0 then return answers end

local function list_in(lists, key)
  local list = lists[key]
  if not list then
    list = {}
    lists[key] = list
  end
  return list
end
local indexes, totalled = {}, {}
local function index(key, seq, id)
  local list = list_in(indexes, key)
  list[#list + 1] = seq
  list[#list + 1] = id
end
local function total(metric, label)
  local field = metric .. '|' .. label
  totalled[field] = (totalled[field] or 0) + 1
end

local seq = tonumber(redis.call('GET', history_seq) or '0')
local records, letters, memories, journals, heard, last_reports = {}, {}, {}, {}, {}, {}
for _, one in ipairs(ending) do
  local id, job, status, category = one.id, one.job, one.status, one.category
  if one.record ~= '' then
    seq = seq + 1
    local number = digits(seq)
    records[#records + 1] = one.record
    index(history_ids, number, id)
    index(by_job_key(job), number, id)
    index(by_status_key(status), number, id)
    index(by_category_key(category == '-' and '' or category), number, id)
    total('records', status)
    if category ~= '-' then total('diagnoses', category) end
    local about = heard[job]
    if not about then
      about = {counts = {}}
      heard[job] = about
      last_reports[#last_reports + 1] = at
      last_reports[#last_reports + 1] = job
    end
    local pair = 'n:' .. one.reported .. ':' .. status
    about.counts[pair] = (about.counts[pair] or 0) + 1
    about.last = at .. ' ' .. id .. ' ' .. one.reported .. ' ' .. status .. ' ' .. category
    if one.reported == 'succeeded' then about.well = at end
  end
  if one.memory ~= '' then table.insert(list_in(memories, memory_key(one.signature)), one.memory) end
  if one.letter ~= '' then
    letters[#letters + 1] = one.letter
    total('events', 'dead')
  else
    journals[#journals + 1] = fx_key(id)
  end
end

-- The records first: should a key that somebody else wrote to break this script half way, none is lost.
if #records > 0 then
  local gone = redis.call('RPUSH', history, unpack(records)) - most
  redis.call('SET', history_seq, digits(seq))
  if gone > 0 then redis.call('LTRIM', history, gone, -1) end
end
-- What is kept about single records and jobs goes when the last record about them goes.
if seq > most then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', history_ids, '-inf', seq - most)) do
    redis.call('DEL', feedback_key(id))
  end
  for _, job in ipairs(redis.call('ZRANGE', jobs, 0, #records + 8)) do -- those not heard of for longest
    redis.call('ZREMRANGEBYSCORE', by_job_key(job), '-inf', seq - most)
    if heard[job] or redis.call('EXISTS', by_job_key(job)) == 1 then break end
    redis.call('DEL', job_key(job))
    redis.call('ZREM', jobs, job)
  end
end

-- What was worked out on the way goes with the end; what tells a repeated call apart stays.
local KEPT = {'job_id', 'received_ms', 'deliveries', 'nonce', 'owner', 'claimed_ms', 'verdict', 'decided_hash',
              'decided_by', 'replay'}
local function tidy(one)
  local kept = {}
  for n, value in ipairs(redis.call('HMGET', one.key, unpack(KEPT))) do
    if value then
      kept[#kept + 1] = KEPT[n]
      kept[#kept + 1] = value
    end
  end
  redis.call('DEL', one.key)
  redis.call('HSET', one.key, 'fence', one.fence, unpack(kept))
  redis.call('SREM', awaiting_key(one.job), one.id)
end
for _, one in ipairs(ending) do
  if one.trail then tidy(one) end
  redis.call('HSET', one.key, 'state', 'done', 'status', one.status, 'finished_ms', at)
  redis.call('PEXPIRE', one.key, remember)
end
-- A dead letter keeps its journal for as long as it can be replayed: what was done is not done again.
if #journals > 0 and redis.call('EXISTS', unpack(journals)) > 0 then
  for _, journal in ipairs(journals) do redis.call('PEXPIRE', journal, remember) end
end
redis.call('HDEL', payloads, unpack(ids))
redis.call('ZREM', leases, unpack(ids))
redis.call('ZREM', open, unpack(ids))
-- Each index drops what has left the list whenever it is written to; readers skip the rest.
for key, entries in pairs(indexes) do
  redis.call('ZADD', key, unpack(entries))
  if seq > most then redis.call('ZREMRANGEBYSCORE', key, '-inf', seq - most) end
end
if #last_reports > 0 then redis.call('ZADD', jobs, unpack(last_reports)) end
for job, about in pairs(heard) do
  local key = job_key(job)
  for pair, times in pairs(about.counts) do redis.call('HINCRBY', key, pair, times) end
  if about.well then
    redis.call('HSET', key, 'last', about.last, 'succeeded_ms', about.well)
  else
    redis.call('HSET', key, 'last', about.last)
  end
end
if #letters > 0 then
  local gone = redis.call('RPUSH', dead, unpack(letters)) - most_dead
  if gone > 0 then
    for _, letter in ipairs(redis.call('LRANGE', dead, 0, gone - 1)) do
      local id = letter:match('^{"event_id":"([%w._:-]+)"')
      if id then redis.call('PEXPIRE', fx_key(id), remember) end
    end
    redis.call('LTRIM', dead, gone, -1)
  end
end
for key, notes in pairs(memories) do
  if redis.call('LPUSH', key, unpack(notes)) > 20 then redis.call('LTRIM', key, 0, 19) end
  redis.call('PEXPIRE', key, '15552000000')
end
for field, times in pairs(totalled) do redis.call('HINCRBY', totals, field, times) end
return answers
