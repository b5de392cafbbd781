-- Appends one log entry to a stream. Nothing in it, and the stream itself, outlives an hour.
--
-- KEYS[1]  log:<n>
-- ARGV     1 entry   2 longest life (s)
local t = redis.call('TIME')
redis.call('XADD', KEYS[1], 'MINID', (t[1] - ARGV[2]) * 1000, '*', 'entry', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
