-- Keeps log entries that could not be read, each until an hour after it was appended, and drops those
-- that have come to that age. Returns how many there are.
--
-- KEYS[1]  unreadable
-- ARGV     1 longest life (s)   2… when it was appended (ms, server time), entry, …
local t = redis.call('TIME')
local life = tonumber(ARGV[1]) * 1000
local oldest = t[1] * 1000 + math.floor(t[2] / 1000) - life
for i = 2, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], 'NX', ARGV[i], ARGV[i + 1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', oldest)
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if newest[2] then
  redis.call('PEXPIREAT', KEYS[1], math.min(tonumber(newest[2]), oldest + life) + life)
end
return redis.call('ZCARD', KEYS[1])
