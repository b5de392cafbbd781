-- Asks a window by itself: an endpoint that is not metered has a limit too.
--
-- KEYS[1]  the ring
-- ARGV     1 now (ms, event time)   2 requests that are asked for   3 limit   4 life of the ring (ms)
local now, count, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local it = look(KEYS[1], now, limit, count)
if it.wait then
  return { 0, it.free, math.ceil(it.wait) }
end
note(KEYS[1], it, now, limit, count, ARGV[4])
return { 1, it.free, math.ceil(it.reset) }
