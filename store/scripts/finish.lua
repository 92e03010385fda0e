#!lua flags=allow-oom
-- ARGV: most records, time to remember ids (ms), most dead letters, then for each incident: its head, record JSON,
--       memory JSON, dead letter JSON. A head is "id fence status category reported signature job", "-" for nothing.
-- Record, lease, state and counts change together. Answers, in order: ok | already | fenced.
-- What many incidents write to one key is written in one go: a command costs more here than what it does.
local most, remember, most_dead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now, answers, ending, seen = now_ms(), {}, {}, {}
-- What was worked out on the way goes with the end; what tells a repeated call apart stays.
local KEPT = {'received_ms', 'deliveries', 'nonce', 'owner', 'claimed_ms', 'verdict', 'decided_hash', 'decided_by',
              'replay'}
for i = 4, #ARGV, 4 do
  local id, mine, status, category, reported, signature, job =
    ARGV[i]:match('^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  local have = redis.call('HMGET', incident_key(id), 'fence', 'state', unpack(KEPT))
  if have[1] ~= mine then
    answers[#answers + 1] = 'fenced'
  elseif have[2] == 'done' or seen[id] then
    answers[#answers + 1] = 'already'
  elseif have[2] ~= 'running' then
    answers[#answers + 1] = 'fenced'
  else
    answers[#answers + 1] = 'ok'
    seen[id] = true
    ending[#ending + 1] = {
      id = id, have = have, status = status, category = category == '-' and '' or category, reported = reported,
      signature = signature, job = job, record = ARGV[i + 1], memory = ARGV[i + 2], letter = ARGV[i + 3],
    }
  end
end
if #ending == 0 then return answers end

local function collect(lists, key, ...)
  local list = lists[key]
  if not list then
    list = {}
    lists[key] = list
  end
  for _, value in ipairs({...}) do list[#list + 1] = value end
end
local totalled = {}
local function total(metric, label)
  local field = metric .. '|' .. label
  totalled[field] = (totalled[field] or 0) + 1
end

local seq = tonumber(redis.call('GET', history_seq) or '0')
local records, letters, ids, indexes, memories, awaited, heard = {}, {}, {}, {}, {}, {}, {}
for _, one in ipairs(ending) do
  local id, have, job, status, category, reported = one.id, one.have, one.job, one.status, one.category, one.reported
  local kept = {'state', 'done', 'status', status, 'fence', have[1], 'finished_ms', now}
  for n, field in ipairs(KEPT) do
    if have[n + 2] then
      kept[#kept + 1] = field
      kept[#kept + 1] = have[n + 2]
    end
  end
  if one.record ~= '' then
    seq = seq + 1
    kept[#kept + 1] = 'seq'
    kept[#kept + 1] = seq
    records[#records + 1] = one.record
    collect(indexes, history_ids, seq, id)
    collect(indexes, by_job_key(job), seq, id)
    collect(indexes, by_status_key(status), seq, id)
    collect(indexes, by_category_key(category), seq, id)
    total('records', status)
    if category ~= '' then total('diagnoses', category) end
    local about = heard[job]
    if not about then
      about = {counts = {}}
      heard[job] = about
    end
    for _, field in ipairs({'reports:' .. reported, 'records:' .. status}) do
      about.counts[field] = (about.counts[field] or 0) + 1
    end
    about.last = {'last_event_id', id, 'last_reported', reported, 'last_status', status, 'last_category', category,
                  'last_ms', now, 'at:' .. reported, now}
  end
  if one.memory ~= '' then collect(memories, memory_key(one.signature), one.memory) end
  if one.letter ~= '' then
    letters[#letters + 1] = one.letter
    total('events', 'dead')
  end
  collect(awaited, awaiting_key(job), id)
  ids[#ids + 1] = id
  one.kept = kept
end

-- The records first: should a key that somebody else wrote to break this script half way, none is lost.
if #records > 0 then
  redis.call('SET', history_seq, seq)
  local gone = redis.call('RPUSH', history, unpack(records)) - most
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
for _, one in ipairs(ending) do
  local key = incident_key(one.id)
  redis.call('DEL', key)
  redis.call('HSET', key, unpack(one.kept))
  redis.call('PEXPIRE', key, remember)
  -- A dead letter keeps its journal for as long as it can be replayed: what was done is not done again.
  if one.letter == '' then redis.call('PEXPIRE', fx_key(one.id), remember) end
end
redis.call('ZREM', leases, unpack(ids))
redis.call('ZREM', open, unpack(ids))
-- Each index drops what has left the list whenever it is written to; readers skip the rest.
for index, entries in pairs(indexes) do
  redis.call('ZADD', index, unpack(entries))
  if seq > most then redis.call('ZREMRANGEBYSCORE', index, '-inf', seq - most) end
end
for job, about in pairs(heard) do
  redis.call('ZADD', jobs, now, job)
  for field, times in pairs(about.counts) do redis.call('HINCRBY', job_key(job), field, times) end
  redis.call('HSET', job_key(job), unpack(about.last))
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
  redis.call('LPUSH', key, unpack(notes))
  redis.call('LTRIM', key, 0, 19)
  redis.call('PEXPIRE', key, 15552000000)
end
for field, times in pairs(totalled) do redis.call('HINCRBY', totals, field, times) end
for key, waiting in pairs(awaited) do redis.call('SREM', key, unpack(waiting)) end
return answers
