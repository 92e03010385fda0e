#!lua flags=no-writes
-- ARGV: index key ('' = the list itself), direction (desc | asc), border (record number, exclusive), how many.
-- Answers {number of records ever, length of the list, number, record, number, record, …}.
local ever = tonumber(redis.call('GET', history_seq) or '0')
local length = redis.call('LLEN', history)
local base, border, most = ever - length, tonumber(ARGV[3]), tonumber(ARGV[4])
local answer = {ever, length}
local function add(seq, record)
  if record then
    answer[#answer + 1] = seq
    answer[#answer + 1] = record
  end
end
if ARGV[1] == '' then
  local first, last
  if ARGV[2] == 'desc' then
    last = math.min(border - 1, ever)
    first = math.max(last - most + 1, base + 1)
  else
    first = math.max(border + 1, base + 1)
    last = math.min(first + most - 1, ever)
  end
  if first <= last then
    local found = redis.call('LRANGE', history, first - base - 1, last - base - 1)
    for i = 1, #found do
      if ARGV[2] == 'desc' then add(last - i + 1, found[#found - i + 1]) else add(first + i - 1, found[i]) end
    end
  end
else
  local found
  if ARGV[2] == 'desc' then
    found = redis.call('ZREVRANGEBYSCORE', ARGV[1], '(' .. ARGV[3], '(' .. base, 'WITHSCORES', 'LIMIT', 0, most)
  else
    found = redis.call('ZRANGEBYSCORE', ARGV[1], '(' .. math.max(border, base), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  end
  for i = 2, #found, 2 do
    local seq = tonumber(found[i])
    add(seq, redis.call('LINDEX', history, seq - base - 1))
  end
end
return answer
