-- The instants of a window's last requests, so that "in any minute" can be counted exactly. Stands
-- before the scripts that need it.
--
-- A string: slots (2 bytes), how many of them hold an instant (2), the one that is written next (2);
-- then the slots, each the time of one request (ms, 6 bytes), in the order in which they were let in. As
-- many slots as the limit has ever been while the string lived: a plan that is changed back and forth
-- forgets nothing. All numbers are big-endian.
local MINUTE, HEAD, WIDTH = 60000, 6, 6

-- How the window at `key` stands at `now`, where `limit` are allowed and `count` more are asked for.
local function look(key, now, limit, count)
  local text = redis.call('GETRANGE', key, 0, -1)
  local slots, used, next = 0, 0, 0
  if #text >= HEAD then
    slots, used, next = struct.unpack('>I2I2I2', text)
  end
  -- The i-th newest, from 1 on.
  local function instant(i)
    return (struct.unpack('>I6', text, HEAD + ((next - i) % slots) * WIDTH + 1))
  end
  -- How many are later than `time`. They are in order, so that a few looks tell.
  local function later(time)
    local low, high = 0, used
    while low < high do
      local middle = math.ceil((low + high) / 2)
      if instant(middle) > time then
        low = middle
      else
        high = middle - 1
      end
    end
    return low
  end
  -- More than a minute ahead is no event that was overtaken but another clock: it counts for nothing.
  local ahead = later(now + MINUTE)
  if ahead > 0 then
    next, used = (next - ahead) % slots, used - ahead
  end
  local busy = later(now - MINUTE)
  local it = { text = text, slots = slots, used = used, next = next, instant = instant, busy = busy }
  it.free = math.max(0, limit - busy)
  if busy + count > limit then
    -- Room is there when the one has left of which, with those after it, there are too many.
    it.wait = count > limit and MINUTE or instant(limit - count + 1) + MINUTE - now
  end
  -- Until one more is free.
  it.reset = busy > 0 and instant(busy) + MINUTE - now or 0
  return it
end

-- Writes down `count` requests of `now`, for which `look` has found room. An event that was overtaken
-- counts as of the same instant as what has overtaken it: the slots stay in order, and none of them
-- leaves the window too early.
local function note(key, it, now, limit, count, life)
  local time = math.max(now, it.used > 0 and it.instant(1) or 0)
  local entry = struct.pack('>I6', time)
  local used = it.used + count
  if it.slots < limit then
    local kept = {}
    for i = math.min(it.used, limit - count), 1, -1 do
      kept[#kept + 1] = struct.pack('>I6', it.instant(i))
    end
    used = #kept + count
    redis.call('SET', key, struct.pack('>I2I2I2', limit, used, used % limit)
      .. table.concat(kept) .. string.rep(entry, count))
  else
    local first = math.min(count, it.slots - it.next)
    redis.call('SETRANGE', key, HEAD + it.next * WIDTH, string.rep(entry, first))
    if first < count then
      redis.call('SETRANGE', key, HEAD, string.rep(entry, count - first))
    end
    redis.call('SETRANGE', key, 0, struct.pack('>I2I2I2', it.slots, math.min(used, it.slots),
      (it.next + count) % it.slots))
  end
  redis.call('PEXPIRE', key, life)
  it.free = it.free - count
  it.reset = it.busy > 0 and it.reset or time + MINUTE - now
end
