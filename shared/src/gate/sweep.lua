-- Takes back what is left of an idle account's lease; the caller credits it and says so with
-- credited.lua. Until then it stays noted, so that nothing is lost if the caller is.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 now (ms, event time)   2 idle after (ms)
local key = KEYS[1]
local f = redis.call('HMGET', key, 'lid', 'rem', 'last', 'bl', 'bn', 'ps', 'lk', 'v', 'seq')
local lid, rem = f[1] or '', tonumber(f[2]) or 0
if f[7] then
  return { 'BUSY', f[8] or '0', '', 0, 0 } -- being refilled: the refill credits it
end
if f[4] then
  return { 'BACK', f[8] or '0', f[4], tonumber(f[5]), f[6] or '' }
end
if lid == '' then
  return { 'NONE', f[8] or '0', '', 0, 0 }
end
if tonumber(ARGV[1]) - (tonumber(f[3]) or 0) < tonumber(ARGV[2]) then
  return { 'LIVE', f[8] or '0', lid, rem, f[6] or '' }
end
redis.call('HSET', key, 'rem', 0, 'bl', lid, 'bn', rem)
return { 'BACK', f[8] or '0', lid, rem, f[6] or '' }
