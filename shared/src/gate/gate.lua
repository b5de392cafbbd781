-- One request at the gate of one account. Everything about the account is in one slot, so one script
-- answers in one go. A denial writes nothing.
--
-- KEYS[1]  {tag}:g   KEYS[2]  the minute's ring: {tag}:w:live, or {tag}:w:test for the sandbox, so that
--          it holds up nobody else
-- ARGV     1 key hash   2 key hash under the previous pepper, or ''   3 now (ms, event time)
--          4 requests that it counts as in the minute   5 token, to hold the refill with
--          6 requests that it takes from the period (none for the sandbox)
--          7 field for the minute's last request ('ml', for the sandbox 'tl')
--          8 how long an account is loaded for (ms)   9 life of the ring (ms)
--
-- Fields   v gate version   st status   pl plan   rp requests a minute   lm requests a period
--          ps, pe period start, end (ms)   xp reload from this time on (ms)
--          k:<hash> key id
--          ml, tl time of the last request that its ring, live or sandbox, should know of (ms)
--          lid, rem, seq lease: id, left, taken   out left of the period outside the lease
--          ex period (its start) known to be used up   last time of the last request (ms)
--          lk, lt refill: token, held until (ms, server time)
--          ab tokens of refills that were not finished, each with a space behind it
--          bl, bn lease whose rest was taken back and is not yet credited: id, how much
local key, now, count, token = KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local cost = tonumber(ARGV[6])
local f = redis.call('HMGET', key, 'st', 'pl', 'rp', 'lm', 'ps', 'pe', 'xp', ARGV[7],
  'lid', 'rem', 'seq', 'out', 'ex', 'lk', 'lt', 'bl', 'bn', 'ab',
  'k:' .. ARGV[1], 'k:' .. ARGV[2])
local st, pl, rp, lm = f[1], f[2], tonumber(f[3]), tonumber(f[4])
local ps, pe, xp, last = tonumber(f[5]), tonumber(f[6]), tonumber(f[7]), tonumber(f[8])
local lid, rem, seq, out = f[9] or '', tonumber(f[10]) or 0, tonumber(f[11]) or 0, tonumber(f[12]) or 0
local ex, lk, lt, bl, bn, ab = f[13], f[14], tonumber(f[15]), f[16] or '', tonumber(f[17]) or 0, f[18] or ''

-- Asks the caller to load the account and take a lease; only one caller at a time is chosen.
local function load(why)
  local t = redis.call('TIME')
  local ms = t[1] * 1000 + math.floor(t[2] / 1000)
  if lk and lt > ms then
    return { 'WAIT' }
  end
  -- What is left of a lease that will be replaced is put aside, to be credited once.
  if rem > 0 then
    redis.call('HSET', key, 'rem', 0, 'bl', lid, 'bn', rem)
    bl, bn = lid, rem
  end
  -- Who did not finish may have taken a lease that was never here. Of a long series the last count.
  if lk then
    ab = string.sub(ab .. lk .. ' ', -64 * (#token + 1))
    redis.call('HSET', key, 'ab', ab)
  end
  redis.call('HSET', key, 'lk', token, 'lt', ms + 2000)
  if redis.call('PTTL', key) < 0 then
    redis.call('PEXPIRE', key, 5000)
  end
  return { 'LOAD', why, ab, lid, bl, bn, f[5] or '' }
end

if not st then
  return load('unknown')
end
if now >= xp or now < ps or now >= pe then
  return load('stale')
end
local key_id = f[19] or (ARGV[2] ~= '' and f[20])
if not key_id then
  return { 'KEY' }
end
if st ~= 'active' then
  return { 'STATUS', st }
end

local minute = look(KEYS[2], now, rp, count)
-- The server has lost the ring and not the account (evicted, under pressure): what it held is taken to
-- have been full until its last instant.
if #minute.text == 0 and last and math.abs(now - last) < MINUTE then
  minute.wait, minute.free = last + MINUTE - now, 0
end
if minute.wait then
  return { 'RATE', key_id, pl, ps, pe, lm, out + rem, rp, math.ceil(minute.wait), minute.free }
end

if rem < cost then
  -- Of several at once: what has just been loaded is all that there is, unless somebody is at it.
  local fresh = cost > 1 and now - (xp - tonumber(ARGV[8])) < 10000 and not lk and bl == ''
  if (ex and tonumber(ex) == ps) or (fresh and out + rem < cost) then
    return { 'QUOTA', key_id, pl, ps, pe, lm, out + rem, rp, math.ceil(minute.reset), minute.free }
  end
  return load('lease')
end

redis.call('HSET', key, ARGV[7], math.max(now, last or 0), 'rem', rem - cost, 'seq', seq + cost, 'last', now)
note(KEYS[2], minute, now, rp, count, ARGV[9])
return { 'OK', key_id, pl, ps, pe, lm, out + rem - cost, rp, math.ceil(minute.reset), minute.free,
  lid, seq + cost }
