#!lua
-- ARGV: event id, fence, signature, by ('' = whoever answered), may ('go' | 'wait' | 'look'), longest answer time (ms).
-- One question per signature at a time. By: what an answer depends on beside the question; another's is no answer.
-- Answers {answered, JSON, ''} | {go, '', ''} | {wait, '', event that asks} | {busy | none | fenced, '', ''}.
local id, signature, by, may = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
if not holds(id, ARGV[2]) then return {'fenced', '', ''} end
local known = redis.call('HMGET', answer_key(signature), 'by', 'body')
if known[2] and (by == '' or by == known[1]) then return {'answered', known[2], ''} end
if may == 'look' then return {'none', '', ''} end
local asker = redis.call('GET', asking_key(signature))
-- Whoever took the asking event over asks in its place.
if asker and asker:match('^%S+') ~= id then return {'wait', '', asker:match('^%S+')} end
if may == 'wait' then return {'busy', '', ''} end
redis.call('SET', asking_key(signature), id .. ' ' .. ARGV[2], 'PX', ARGV[6])
return {'go', '', ''}
