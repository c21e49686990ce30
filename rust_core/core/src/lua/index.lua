-- The index of a user: HASH of what counts under its limits. sid → session; "!" sid → sign-in in flight; "~" victim
-- "!" sid → claim of that sign-in on its victim. (No sid has a "!" or "~".)

-- An entry: moment in ms (of a session, when it was created; of a hold or claim, when it runs out), client, device class,
-- trust, when that was rated, longest time without a use, last use that PostgreSQL knew. What a limit goes by is here and
-- not in the record: it must be known of sessions, too, whose record the store has lost.
-- (argus.sessions.index_entry packs the same.)
local ENTRY, ENTRY_SIZE = '>I8c8BBI4I4I4', 30
local MOMENT_SIZE = 8

local function parse_entry(value)
  if not value or #value ~= ENTRY_SIZE then
    return nil
  end
  local moment, client, class, trust, rated, idle, active = struct.unpack(ENTRY, value)
  return { moment = moment, client = client, class = class, trust = trust, rated = rated, idle = idle, active = active }
end

-- The same entry with another moment.
local function at_moment(moment, value)
  return struct.pack('>I8', moment) .. string.sub(value, MOMENT_SIZE + 1)
end

local function hold_of(sid)
  return '!' .. sid
end

local function claim_of(victim, sid)
  return '~' .. victim .. hold_of(sid)
end

local function leave_index(index, sid)
  redis.call('HDEL', index, sid, hold_of(sid))
end

-- What a sign-in holds in the index: its place, and its claims on victims.
local function drop_hold(index, sid)
  local hold = hold_of(sid)
  redis.call('HDEL', index, hold)
  for _, member in ipairs(redis.call('HKEYS', index)) do
    if string.sub(member, 1, 1) == '~' and string.sub(member, -#hold) == hold then
      redis.call('HDEL', index, member)
    end
  end
end

-- Sign-ins in flight are not in PostgreSQL yet: their holds and claims outlive a rebuild of the index, but for those of
-- sign-ins that PostgreSQL has by now.
local function replace_index(index, arguments, first, count)
  for _, member in ipairs(redis.call('HKEYS', index)) do
    if not string.find(member, '^[!~]') then
      redis.call('HDEL', index, member)
    end
  end
  for position = first, first + 2 * (count - 1), 2 do
    redis.call('HSET', index, arguments[position], arguments[position + 1])
  end
  for _, member in ipairs(redis.call('HKEYS', index)) do
    local holder = string.match(member, '!([^!]+)$')
    if holder and redis.call('HEXISTS', index, holder) == 1 then
      redis.call('HDEL', index, member)
    end
  end
end
