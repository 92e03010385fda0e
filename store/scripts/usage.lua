#!lua flags=no-writes
-- ARGV: a job id for each question. Answers, in order: {who paused or '', effects of the job, effects of all jobs}
-- within the last hour.
local hour, by = now_ms() - 3600000, redis.call('HGET', paused, 'by') or ''
local all, answers = redis.call('ZCOUNT', budget, hour, '+inf'), {}
for i, job in ipairs(ARGV) do
  answers[i] = {by, redis.call('ZCOUNT', budget_job_key(job), hour, '+inf'), all}
end
return answers
