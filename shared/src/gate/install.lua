-- Puts an account and its lease into the gate, if the caller still holds the refill and knows no
-- older version of the account than the gate does.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 token   2 gate version   3 ttl (ms)   4… field, value, …
local key = KEYS[1]
local f = redis.call('HMGET', key, 'lk', 'v', 'last', 'ab', 'ml', 'tl')
if f[1] ~= ARGV[1] then
  return 'LOST'
end
if tonumber(f[2] or 0) > tonumber(ARGV[2]) then
  return 'STALE'
end
redis.call('DEL', key)
redis.call('HSET', key, 'v', ARGV[2], unpack(ARGV, 4))
for i, name in ipairs({ 'last', 'ab', 'ml', 'tl' }) do
  if f[i + 2] then
    redis.call('HSET', key, name, f[i + 2])
  end
end
redis.call('PEXPIRE', key, ARGV[3])
return 'OK'
