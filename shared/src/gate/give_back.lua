-- Returns requests to the lease they were taken from, if that lease is still the live one and stays it.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 lease id   2 how many
local f = redis.call('HMGET', KEYS[1], 'lid', 'bl', 'lk')
-- A lease that is being replaced is written off as it was when the refill was chosen: what came into it
-- after that would be lost.
if f[1] == ARGV[1] and f[2] ~= ARGV[1] and not f[3] then
  redis.call('HINCRBY', KEYS[1], 'rem', ARGV[2])
  return 1
end
-- The caller credits the period itself, so "used up" may no longer be true.
redis.call('HDEL', KEYS[1], 'ex')
return 0
