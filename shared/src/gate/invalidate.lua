-- Makes the next request load the account anew: a key was made or revoked, the plan or the status
-- changed. The minute's ring stays; what is left of the lease is put aside.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 gate version
local key = KEYS[1]
local f = redis.call('HMGET', key, 'v', 'lid', 'rem', 'st')
if tonumber(f[1] or 0) >= tonumber(ARGV[1]) and not f[4] then
  return 0
end
local names = redis.call('HKEYS', key)
for _, name in ipairs(names) do
  if string.sub(name, 1, 2) == 'k:' then
    redis.call('HDEL', key, name)
  end
end
redis.call('HDEL', key, 'st', 'ex')
redis.call('HSET', key, 'v', math.max(tonumber(f[1] or 0), tonumber(ARGV[1])))
if tonumber(f[3] or 0) > 0 then
  redis.call('HSET', key, 'rem', 0, 'bl', f[2], 'bn', f[3])
end
if redis.call('PTTL', key) < 0 then
  redis.call('PEXPIRE', key, 120000)
end
return 1
