-- Ends a lease that was seen to run backwards (a replica that lagged behind took over): what it says
-- is left may have been served already, so none of it is credited.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 lease id
if redis.call('HGET', KEYS[1], 'lid') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'rem', 0)
redis.call('HDEL', KEYS[1], 'st')
return 1
