#!lua flags=no-writes
-- ARGV: a signature for each question. Answers, in order: {what is remembered, what people taught}, newest first.
local answers = {}
for i, signature in ipairs(ARGV) do
  answers[i] = {redis.call('LRANGE', memory_key(signature), 0, -1), redis.call('LRANGE', lessons_key(signature), 0, -1)}
end
return answers
