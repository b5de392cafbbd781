-- What was put aside of a lease, and what unfinished refills had taken, has been credited to its
-- period, or turned out not to be owed.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 lease id, or ''   2 how much was credited   3 tokens of the unfinished refills
local key = KEYS[1]
local f = redis.call('HMGET', key, 'bl', 'lid', 'out', 'ab')
if f[4] == ARGV[3] then
  redis.call('HDEL', key, 'ab')
end
if f[1] ~= ARGV[1] then
  return 0
end
redis.call('HDEL', key, 'bl', 'bn')
if f[2] == ARGV[1] then
  redis.call('HSET', key, 'lid', '', 'seq', 0, 'out', (tonumber(f[3]) or 0) + tonumber(ARGV[2]))
end
return 1
