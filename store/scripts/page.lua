#!lua flags=no-writes
-- ARGV: index key ('' = the list itself), direction (desc | asc), border (record number, exclusive), how many,
--       most bytes (one record always passes).
-- Answers {whether there may be more (1|0), number, record, number, record, …}.
local index, down, border, most, bytes = ARGV[1], ARGV[2] == 'desc', tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local ever = tonumber(redis.call('GET', history_seq) or '0')
local base = ever - redis.call('LLEN', history)
local answer, taken, full = {0}, 0, false

local function add(seq, record)
  if not record then return end
  bytes = bytes - #record
  if taken == most or (bytes < 0 and taken > 0) then
    full = true
    return
  end
  taken = taken + 1
  answer[#answer + 1] = seq
  answer[#answer + 1] = record
end

if index == '' then
  local seq = down and math.min(border - 1, ever) or math.max(border + 1, base + 1)
  while not full and seq > base and seq <= ever do
    local last = down and math.max(seq - 15, base + 1) or math.min(seq + 15, ever)
    local found = redis.call('LRANGE', history, math.min(seq, last) - base - 1, math.max(seq, last) - base - 1)
    for i = 1, #found do
      if full then break end
      add(down and seq - i + 1 or seq + i - 1, found[down and #found - i + 1 or i])
    end
    seq = down and last - 1 or last + 1
  end
else
  local found
  if down then
    found = redis.call('ZREVRANGEBYSCORE', index, '(' .. ARGV[3], '(' .. base, 'WITHSCORES', 'LIMIT', 0, most + 1)
  else
    found = redis.call('ZRANGEBYSCORE', index, '(' .. math.max(border, base), '+inf', 'WITHSCORES', 'LIMIT', 0, most + 1)
  end
  for i = 2, #found, 2 do
    if full then break end
    local seq = tonumber(found[i])
    add(seq, redis.call('LINDEX', history, seq - base - 1))
  end
end
answer[1] = full and 1 or 0
return answer
