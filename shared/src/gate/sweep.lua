-- Takes back what is left of an idle account's lease, and ends a refill that was not finished; the
-- caller credits them and says so with credited.lua. Until then they stay noted, so that nothing is
-- lost if the caller is.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 now (ms, event time)   2 idle after (ms)
local key = KEYS[1]
local f = redis.call('HMGET', key, 'lid', 'rem', 'last', 'bl', 'bn', 'ps', 'lk', 'lt', 'ab', 'v')
local lid, rem, ps, ab, v = f[1] or '', tonumber(f[2]) or 0, f[6] or '', f[9] or '', f[10] or '0'
if f[7] then
  local t = redis.call('TIME')
  if tonumber(f[8]) > t[1] * 1000 + math.floor(t[2] / 1000) then
    return { 'BUSY', v, '', 0, ps, ab } -- being refilled: the refill credits it
  end
  ab = ab .. f[7] .. ' '
  -- In this order: a hash that has lost its last field has lost its time to live too.
  redis.call('HSET', key, 'ab', ab)
  redis.call('HDEL', key, 'lk', 'lt')
end
if f[4] then
  return { 'BACK', v, f[4], tonumber(f[5]), ps, ab }
end
if lid == '' then
  return { ab == '' and 'NONE' or 'BACK', v, '', 0, ps, ab }
end
if tonumber(ARGV[1]) - (tonumber(f[3]) or 0) < tonumber(ARGV[2]) then
  return { 'LIVE', v, lid, rem, ps, ab }
end
redis.call('HSET', key, 'rem', 0, 'bl', lid, 'bn', rem)
return { 'BACK', v, lid, rem, ps, ab }
