-- Holds on to a refill that is about to take a lease, if it still is the caller's; and keeps the gate
-- for long enough that whoever comes next learns of that lease, even if the caller dies.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 token   2 ttl (ms)
if redis.call('HGET', KEYS[1], 'lk') ~= ARGV[1] then
  return 0
end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'lt', t[1] * 1000 + math.floor(t[2] / 1000) + 2000)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
