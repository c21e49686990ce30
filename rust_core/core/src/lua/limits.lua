-- Sign-in: a place under the limit, then the session.

local DENY, END_OLDEST, END_LEAST_RECENT = 0, 1, 2
-- A limit that was lowered far is reached by several sign-ins: none may hold the store up, or answer with more values
-- than Lua can return.
local MOST_VICTIMS = 1000

-- Key of another session of the same user: the index key is "a1:i:{hhhh}:…".
local function sibling_key(index, sid)
  return 'a1:s:' .. string.sub(index, 6, 12) .. sid
end

-- What a sign-in holds in the index: its place, and its claims on victims.
local function drop_hold(index, sid, members)
  local hold = hold_of(sid)
  redis.call('ZREM', index, hold)
  for _, member in ipairs(members) do
    if string.sub(member, 1, 1) == '~' and string.sub(member, -#hold) == hold then
      redis.call('ZREM', index, member)
    end
  end
end

-- Whether a session of the index still lives; and the order in which it would be ended. One without a current record
-- lives as far as anybody knows, but was not used since the store lost it.
local function look_at(index, sid, node, now)
  local session = current_session(sibling_key(index, sid), node)
  if not session then
    return true, 0
  elseif session.state == ENDED or now >= math.min(session.idle_deadline, session.absolute_deadline) then
    return false
  end
  return true, session.idle_deadline
end

-- Cleans the index; answers the living sessions that nobody has claimed (oldest first) and the number of holds.
local function take_stock(index, node, now)
  local entries = redis.call('ZRANGE', index, 0, -1, 'WITHSCORES')
  local sessions, claimed, holds = {}, {}, 0
  for position = 1, #entries, 2 do
    local member, score = entries[position], tonumber(entries[position + 1])
    local kind = string.sub(member, 1, 1)
    local is_living, used
    if kind == '!' or kind == '~' then
      is_living = score > now
    else
      is_living, used = look_at(index, member, node, now)
    end
    if not is_living then
      redis.call('ZREM', index, member)
    elseif kind == '!' then
      holds = holds + 1
    elseif kind == '~' then
      claimed[string.match(member, '^~(.-)!')] = true
    else
      table.insert(sessions, { sid = member, created = score, used = used })
    end
  end
  local free = {}
  for _, session in ipairs(sessions) do
    if not claimed[session.sid] then
      table.insert(free, session)
    end
  end
  return free, holds
end

local function least_recent_first(one, other)
  if one.used ~= other.used then
    return one.used < other.used
  elseif one.created ~= other.created then
    return one.created < other.created
  end
  return one.sid < other.sid
end

-- reserve: KEYS user, index  ARGS sid, hold, limit (0: none), on_limit (0 deny, 1 end oldest, 2 end least recent)
-- status: 0 ok, then the sids to end; 1 user missing or stale; 2 limit reached (or all that could be ended are
-- sign-ins in flight: the caller may try again); 3 user disabled.
-- A sign-in in flight counts as a session; a victim it has claimed no longer does. Both run out together, so a
-- crash gives the place back. A second call for a sid takes the place of the first. If the store loses the holds of
-- sign-ins in flight, those may pass the limit once; the next reservation claims as many victims as it takes.
register('reserve', WRITES, function(keys, arguments, node, now)
  local index, sid, limit, on_limit = keys[2], arguments[1], tonumber(arguments[3]), tonumber(arguments[4])
  local runs_out = now + tonumber(arguments[2])
  local user = current_user(keys[1], node)
  if not user then
    return 1
  elseif user.disabled == 1 then
    return 3
  end
  local victims = {}
  if limit > 0 then
    drop_hold(index, sid, redis.call('ZRANGE', index, 0, -1))
    local free, holds = take_stock(index, node, now)
    local surplus = #free + holds + 1 - limit
    if surplus > 0 and (on_limit == DENY or surplus > #free) then
      return 2
    elseif on_limit == END_LEAST_RECENT then
      table.sort(free, least_recent_first)
    end
    for position = 1, math.min(surplus, MOST_VICTIMS) do
      victims[position] = free[position].sid
      redis.call('ZADD', index, runs_out, '~' .. free[position].sid .. hold_of(sid))
    end
  end
  redis.call('ZADD', index, runs_out, hold_of(sid))
  return 0, unpack(victims)
end)

-- release: KEYS index  ARGS sid
-- status 0. Gives the place back.
register('release', ENDS, function(keys, arguments)
  drop_hold(keys[1], arguments[1], redis.call('ZRANGE', keys[1], 0, -1))
  return 0
end)

-- create: KEYS session, user, index  ARGS record, sid, ttl, tombstone_ttl, n, (victim, ended_at) × n
-- status: 0 written, 1 user missing or stale, 2 the session exists (or has ended already).
register('create', WRITES, function(keys, arguments, node)
  local index, sid = keys[3], arguments[2]
  local record = parse_session(arguments[1])
  if not current_user(keys[2], node) then
    return 1
  end
  -- First the victims: they have ended, whatever became of this session meanwhile.
  for position = 6, 5 + 2 * tonumber(arguments[5]), 2 do
    local victim, ended_at = arguments[position], tonumber(arguments[position + 1])
    end_session(sibling_key(index, victim), index, victim, REASON_LIMIT, ended_at, tonumber(arguments[4]), node)
  end
  drop_hold(index, sid, redis.call('ZRANGE', index, 0, -1))
  if redis.call('EXISTS', keys[1]) == 1 then
    return 2
  end
  redis.call('ZADD', index, record.created, sid)
  record.lineage = node
  set_for(keys[1], pack_session(record), tonumber(arguments[3]))
  return 0
end)
