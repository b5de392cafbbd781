-- Ends a refill that takes no lease after all, so that the next request need not wait for it.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 token
if redis.call('HGET', KEYS[1], 'lk') ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[1], 'lk', 'lt')
return 1
