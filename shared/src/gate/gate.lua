-- One request at the gate of one account. Everything about the account is in one hash, so one script
-- on one slot answers in one go. A denial writes nothing.
--
-- KEYS[1]  {tag}:g
-- ARGV     1 key hash   2 key hash under the previous pepper, or ''   3 now (ms, event time)
--          4 requests that it counts as in the minute   5 token, to hold the refill with
--          6 requests that it takes from the period (none for the sandbox)
--          7 prefix of the minute's fields ('t' for the sandbox, so that it holds up nobody else)
--          8 how long an account is loaded for (ms)
--
-- Fields   v gate version   st status   pl plan   rp requests a minute   lm requests a period
--          ps, pe period start, end (ms)   xp reload from this time on (ms)
--          k:<hash> key id
--          m minute   c, p requests in this and the previous minute   tm, tc, tp the sandbox's
--          lid, rem, seq lease: id, left, taken   out left of the period outside the lease
--          ex period (its start) known to be used up   last time of the last request (ms)
--          lk, lt refill: token, held until (ms, server time)
--          ab tokens of refills that were not finished, each with a space behind it
--          bl, bn lease whose rest was taken back and is not yet credited: id, how much
local key, now, count, token = KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local cost, w = tonumber(ARGV[6]), ARGV[7]
local f = redis.call('HMGET', key, 'st', 'pl', 'rp', 'lm', 'ps', 'pe', 'xp', w .. 'm', w .. 'c', w .. 'p',
  'lid', 'rem', 'seq', 'out', 'ex', 'lk', 'lt', 'bl', 'bn',
  'k:' .. ARGV[1], 'k:' .. ARGV[2], 'ab')
local st, pl, rp, lm = f[1], f[2], tonumber(f[3]), tonumber(f[4])
local ps, pe, xp = tonumber(f[5]), tonumber(f[6]), tonumber(f[7])
local lid, rem, seq, out = f[11] or '', tonumber(f[12]) or 0, tonumber(f[13]) or 0, tonumber(f[14]) or 0

-- Asks the caller to load the account and take a lease; only one caller at a time is chosen.
local function load(why)
  local t = redis.call('TIME')
  local ms = t[1] * 1000 + math.floor(t[2] / 1000)
  if f[16] and tonumber(f[17]) > ms then
    return { 'WAIT' }
  end
  -- What is left of a lease that will be replaced is put aside, to be credited once.
  if rem > 0 then
    redis.call('HSET', key, 'rem', 0, 'bl', lid, 'bn', rem)
    f[18], f[19] = lid, rem
  end
  -- Who did not finish may have taken a lease that was never here. Of a long series the last count.
  local ab = f[22] or ''
  if f[16] then
    ab = string.sub(ab .. f[16] .. ' ', -64 * (#token + 1))
    redis.call('HSET', key, 'ab', ab)
  end
  redis.call('HSET', key, 'lk', token, 'lt', ms + 2000)
  if redis.call('PTTL', key) < 0 then
    redis.call('PEXPIRE', key, 5000)
  end
  return { 'LOAD', why, ab, lid, f[18] or '', tonumber(f[19]) or 0, f[5] or '' }
end

if not st then
  return load('unknown')
end
if now >= xp or now < ps or now >= pe then
  return load('stale')
end
local key_id = f[20] or (ARGV[2] ~= '' and f[21])
if not key_id then
  return { 'KEY' }
end
if st ~= 'active' then
  return { 'STATUS', st }
end

-- Two-cell sliding window: the previous minute counts by the share of it that is still in view.
local minute = math.floor(now / 60000)
local m, c, p = tonumber(f[8]), tonumber(f[9]) or 0, tonumber(f[10]) or 0
if m ~= minute then
  if m and m == minute - 1 then
    p, c = c, 0
  elseif m and m == minute + 1 then
    minute = m -- an event that was overtaken by one of the next minute
  else
    p, c = 0, 0
  end
end
local into = math.max(0, now - minute * 60000)
if p * (1 - into / 60000) + c + count > rp then
  local wait
  if c + count <= rp then
    wait = (1 - (rp - c - count) / p) * 60000 - into
  elseif c > 0 then
    wait = 60000 - into + math.max(0, 1 - (rp - count) / c) * 60000
  else
    wait = 60000 -- more at once than a minute allows: the caller says so
  end
  local free = math.max(0, math.floor(rp - (p * (1 - into / 60000) + c)))
  return { 'RATE', key_id, pl, ps, pe, lm, out + rem, rp, math.max(1, math.ceil(wait)), free }
end

if rem < cost then
  -- Of several at once: what has just been loaded is all that there is, unless somebody is at it.
  local fresh = cost > 1 and now - (xp - tonumber(ARGV[8])) < 10000 and not f[16] and not f[18]
  if (f[15] and tonumber(f[15]) == ps) or (fresh and out + rem < cost) then
    return { 'QUOTA', key_id, pl, ps, pe, lm, rp, out + rem }
  end
  return load('lease')
end

redis.call('HSET', key, w .. 'm', minute, w .. 'c', c + count, w .. 'p', p, 'rem', rem - cost,
  'seq', seq + cost, 'last', now)
local free = math.floor(rp - (p * (1 - into / 60000) + c + count))
return { 'OK', key_id, pl, ps, pe, lm, out + rem - cost, rp, math.max(0, free), lid, seq + cost,
  math.ceil((60000 - into) / 1000) }
