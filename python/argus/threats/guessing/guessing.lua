-- Counts failures under one key. The value is 20 bytes, big-endian: failures u32, closed until u64 ms, last u64 ms.
-- Times come from the caller's clock, in ms since 1970.

local function load(key)
  local value = redis.call('GET', key)
  if not value then return 0, 0, 0 end
  return struct.unpack('>I4I8I8', value)
end

local function save(key, failures, closed_until, last, memory)
  redis.call('SET', key, struct.pack('>I4I8I8', failures, closed_until, last), 'PX', memory)
end

-- Lets one try through and counts it as a failure at once, so that tries in parallel can't share one place.
-- KEYS key; ARGV now, free, first wait, longest wait, forgiveness (0: none), memory.
-- Returns {0, failures} or {1, wait in ms}.
local function take(keys, args)
  local now, free, first, longest = tonumber(args[1]), tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local forgiveness, memory = tonumber(args[5]), tonumber(args[6])
  local failures, closed_until, last = load(keys[1])
  if now < closed_until then return {1, closed_until - now} end
  if forgiveness > 0 and now > last then
    failures = math.max(0, failures - math.floor((now - last) / forgiveness))
  end
  failures = failures + 1
  if failures >= free then
    closed_until = now + math.min(longest, first * 2 ^ math.min(failures - free, 30))
  end
  save(keys[1], failures, closed_until, now, memory)
  return {0, failures}
end

-- Takes one counted failure back. KEYS key; ARGV free, memory.
local function give_back(keys, args)
  local failures, closed_until, last = load(keys[1])
  if failures == 0 then return 0 end
  if failures <= tonumber(args[1]) then closed_until = 0 end
  save(keys[1], failures - 1, closed_until, last, tonumber(args[2]))
  return failures - 1
end

redis.register_function('@NAME@_take', take)
redis.register_function('@NAME@_give_back', give_back)
