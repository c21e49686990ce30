-- Concurrent limits: which sessions a sign-in ends, or whether it may begin at all.

local DENY, END_OLDEST, END_LEAST_RECENT, END_LOWEST_TRUST, ASK_USER = 0, 1, 2, 3, 4
-- What a limit counts: all sessions of the user, those of one client, those of one class of devices.
local OF_USER, OF_CLIENT, OF_CLASS = 1, 2, 3
-- A limit that was lowered far is reached by several sign-ins: none may hold the store up, or answer with more values
-- than Lua can return.
local MOST_VICTIMS = 1000
-- A session that nobody has rated is trusted as far as one of which nothing is known at all; and trust halves in eight
-- hours without a proof.
local NOT_RATED, TRUST_OF_UNKNOWN, TRUST_HALVES = 255, 30, 8 * 3600

-- Key of another session of the same user: the index key is "a1:x:{hhhh}:…".
local function sibling_key(index, sid)
  return 'a1:s:' .. string.sub(index, 6, 12) .. sid
end

local function trust_at(entry, now)
  local trust = entry.trust == NOT_RATED and TRUST_OF_UNKNOWN or entry.trust
  return trust * 0.5 ^ (math.max(0, now - entry.rated) / TRUST_HALVES)
end

-- When a session was used last, as far as its deadlines tell: one that is cut off by the absolute end tells less.
local function last_use(session, entry)
  if session.idle_deadline < session.absolute_deadline then
    return session.idle_deadline - entry.idle
  end
  return math.max(session.absolute_deadline - entry.idle, session.made)
end

-- Whether a `not_before` has ended the session of an entry: it began in that second, or earlier.
local function is_covered(entry, covers)
  return math.floor(entry.moment / 1000) <= math.max(covers.of_user, covers[entry.client] or 0)
end

-- The session of an entry as limits see it; nil if it is over. One without a current record lives as far as anybody
-- knows, and was used last when PostgreSQL says.
local function look_at(index, sid, entry, covers, node, now)
  if is_covered(entry, covers) then
    return nil
  end
  local session = current_session(sibling_key(index, sid), node)
  if session and (session.state == ENDED or now >= math.min(session.idle_deadline, session.absolute_deadline)) then
    return nil
  end
  entry.sid = sid
  entry.used = session and math.max(entry.active, last_use(session, entry)) or entry.active
  entry.trusted = trust_at(entry, now)
  return entry
end

-- Cleans the index; answers the living sessions that nobody has claimed, and the holds.
local function take_stock(index, covers, node, now, time)
  local members = redis.call('HGETALL', index)
  local sessions, holds, claimed = {}, {}, {}
  for position = 1, #members, 2 do
    local member, entry = members[position], parse_entry(members[position + 1])
    local kind = string.sub(member, 1, 1)
    if not entry then
      redis.call('HDEL', index, member)
    elseif kind ~= '!' and kind ~= '~' then
      local session = look_at(index, member, entry, covers, node, now)
      if session then
        table.insert(sessions, session)
      else
        redis.call('HDEL', index, member)
      end
    elseif entry.moment <= time then
      redis.call('HDEL', index, member)
    elseif kind == '!' then
      table.insert(holds, entry)
    else
      claimed[string.match(member, '^~(.-)!')] = true
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

local function oldest_first(one, other)
  if one.moment ~= other.moment then
    return one.moment < other.moment
  end
  return one.sid < other.sid
end

local function least_recent_first(one, other)
  if one.used ~= other.used then
    return one.used < other.used
  end
  return oldest_first(one, other)
end

local function least_trusted_first(one, other)
  if one.trusted ~= other.trusted then
    return one.trusted < other.trusted
  end
  return least_recent_first(one, other)
end

local ORDERS = {
  [END_OLDEST] = oldest_first,
  [END_LEAST_RECENT] = least_recent_first,
  [END_LOWEST_TRUST] = least_trusted_first,
}

-- The limits that are set, the tightest first; of two that are as tight, the one that looks closer.
local function tightest_first(arguments, first)
  local limits = {}
  for kind = OF_USER, OF_CLASS do
    local most = tonumber(arguments[first + kind - 1])
    if most > 0 then
      table.insert(limits, { kind = kind, most = most })
    end
  end
  table.sort(limits, function(one, other)
    return one.most < other.most or (one.most == other.most and one.kind > other.kind)
  end)
  return limits
end

-- Those entries that a limit counts, in the eyes of the sign-in whose entry `own` is.
local function counted(limit, own, entries)
  local found = {}
  for _, entry in ipairs(entries) do
    if
      not entry.is_victim
      and (
        limit.kind == OF_USER
        or (limit.kind == OF_CLIENT and entry.client == own.client)
        or (limit.kind == OF_CLASS and entry.class == own.class)
      )
    then
      table.insert(found, entry)
    end
  end
  return found
end

-- How many too many there would be, and the sessions that could make room.
local function surplus_of(limit, own, free, holds)
  local able = counted(limit, own, free)
  return #able + #counted(limit, own, holds) + 1 - limit.most, able
end

-- The limits that are reached, each with its surplus; and whether one is reached by sign-ins in flight alone.
local function reached_of(limits, own, free, holds)
  local reached, is_full = {}, nil
  for _, limit in ipairs(limits) do
    local surplus, able = surplus_of(limit, own, free, holds)
    if surplus > 0 then
      table.insert(reached, { kind = limit.kind, most = limit.most, surplus = surplus, able = able })
      is_full = is_full or (surplus > #able and limit) or nil
    end
  end
  return reached, is_full
end

local function mark_victim(session, limit, victims)
  session.is_victim = true
  table.insert(victims, session.sid)
  table.insert(victims, limit.kind)
end

-- The victims of each limit in turn, as the strategy orders the sessions that it counts: who made room under a tighter
-- one has made it under the others, too. Also the limit that can't be kept.
local function victims_by(order, limits, own, free, holds)
  local victims, left = {}, MOST_VICTIMS
  for _, limit in ipairs(limits) do
    local surplus, able = surplus_of(limit, own, free, holds)
    if surplus > #able then
      return nil, limit
    end
    table.sort(able, order)
    for position = 1, math.min(surplus, left) do
      mark_victim(able[position], limit, victims)
      left = left - 1
    end
  end
  return victims
end

-- The victims that the user has chosen, of those that a reached limit counts; nil if they are not enough. As many as
-- one sign-in may end are.
local function chosen_victims(chosen, reached, limits, own, free, holds)
  local victims = {}
  for _, limit in ipairs(reached) do
    for _, session in ipairs(limit.able) do
      if chosen[session.sid] and not session.is_victim then
        mark_victim(session, limit, victims)
      end
    end
  end
  local is_enough = #reached_of(limits, own, free, holds) == 0 or #victims >= 2 * MOST_VICTIMS
  return is_enough and victims or nil
end

-- How many must end at least: one session may be too many for its client and for its class of devices at once.
local function least_of(reached, own)
  local surplus, in_both = { [OF_USER] = 0, [OF_CLIENT] = 0, [OF_CLASS] = 0 }, 0
  for _, limit in ipairs(reached) do
    surplus[limit.kind] = limit.surplus
    for _, session in ipairs(limit.able) do
      if limit.kind == OF_CLIENT and session.class == own.class then
        in_both = in_both + 1
      end
    end
  end
  local of_client, of_class = surplus[OF_CLIENT], surplus[OF_CLASS]
  local of_both = of_client + of_class - math.min(in_both, of_client, of_class)
  return math.min(math.max(surplus[OF_USER], of_both), MOST_VICTIMS)
end

-- What the user may choose from: what the reached limits count.
local function choices_of(reached)
  local sids, seen = {}, {}
  for _, limit in ipairs(reached) do
    table.sort(limit.able, oldest_first)
    for _, session in ipairs(limit.able) do
      if not seen[session.sid] and #sids < MOST_VICTIMS then
        seen[session.sid] = true
        table.insert(sids, session.sid)
      end
    end
  end
  return sids
end

-- The `not_before`s of a user, and of clients by what entries say of them.
local function covers_of(user, arguments, first, count)
  local covers = { of_user = user.not_before }
  for position = first, first + 2 * count - 1, 2 do
    covers[arguments[position]] = tonumber(arguments[position + 1])
  end
  return covers
end

local function set_of(arguments, first)
  local found = {}
  for position = first, #arguments do
    found[arguments[position]] = true
  end
  return found
end

-- Status of a sign-in, and what follows it in the answer of `reserve`.
local function judge(on_limit, limits, own, free, holds, chosen)
  local reached, full = reached_of(limits, own, free, holds)
  if #reached == 0 then
    return 0, {}
  elseif full or on_limit == DENY then
    local limit = full or reached[1]
    return 2, { limit.kind, limit.most }
  elseif on_limit == ASK_USER then
    local victims = chosen_victims(chosen, reached, limits, own, free, holds)
    if victims then
      return 0, victims
    end
    return 4, { reached[1].kind, reached[1].most, least_of(reached, own), unpack(choices_of(reached)) }
  end
  return 0, victims_by(ORDERS[on_limit], limits, own, free, holds)
end

-- reserve: KEYS user, index  ARGS sid, hold, entry, on_limit (0 deny, 1 end oldest, 2 end least recent, 3 end lowest
-- trust, 4 ask the user), most sessions of the user, of the entry's client, of its device class (0: no limit), n, (client
-- as in entries, its `not_before`) × n; then the sids that the user has chosen to end
-- status: 0 ok, then (sid to end, what its limit counts) × n; 1 user missing or stale; 2 limit reached (or all that could
-- be ended are sign-ins in flight: the caller may try again), then what it counts and how many it allows; 3 user
-- disabled; 4 the user must choose, then as in 2, then how many at least, and the sids to choose from.
-- A sign-in in flight counts as a session; a victim it has claimed no longer does. Both run out together, so a crash
-- gives the place back. A second call for a sid takes the place of the first.
register('reserve', WRITES, function(keys, arguments, node, now, time)
  local index, sid, entry, on_limit = keys[2], arguments[1], arguments[3], tonumber(arguments[4])
  local runs_out = at_moment(time + tonumber(arguments[2]) * 1000, entry)
  local user = current_user(keys[1], node)
  if not user then
    return 1
  elseif user.disabled == 1 then
    return 3
  end
  local limits, more = tightest_first(arguments, 5), {}
  if #limits > 0 then
    local count = tonumber(arguments[8])
    local chosen = set_of(arguments, 9 + 2 * count)
    drop_hold(index, sid)
    local free, holds = take_stock(index, covers_of(user, arguments, 9, count), node, now, time)
    local status
    status, more = judge(on_limit, limits, parse_entry(entry), free, holds, chosen)
    if status ~= 0 then
      return status, unpack(more)
    end
    for position = 1, #more, 2 do
      redis.call('HSET', index, claim_of(more[position], sid), runs_out)
    end
  end
  redis.call('HSET', index, hold_of(sid), runs_out)
  return 0, unpack(more)
end)

-- release: KEYS index  ARGS sid
-- status 0. Gives the place back.
register('release', ENDS, function(keys, arguments)
  drop_hold(keys[1], arguments[1])
  return 0
end)

-- create: KEYS session, user, index  ARGS record, sid, ttl, tombstone_ttl, entry, n, (victim, ended_at) × n
-- status: 0 written, 1 user missing or stale, 2 the session exists (or has ended already), 3 its place is lost: the store
-- has forgotten the reservation, or it ran out, and others may have been let in since.
register('create', WRITES, function(keys, arguments, node)
  local index, sid = keys[3], arguments[2]
  local record = parse_session(arguments[1])
  if not current_user(keys[2], node) then
    return 1
  end
  -- First the victims: they have ended, whatever became of this session meanwhile.
  for position = 7, 6 + 2 * tonumber(arguments[6]), 2 do
    local victim, ended_at = arguments[position], tonumber(arguments[position + 1])
    end_session(sibling_key(index, victim), index, victim, REASON_LIMIT, ended_at, tonumber(arguments[4]), node)
  end
  local has_place = redis.call('HEXISTS', index, hold_of(sid)) + redis.call('HEXISTS', index, sid) > 0
  drop_hold(index, sid)
  if redis.call('EXISTS', keys[1]) == 1 then
    return 2
  elseif not has_place then
    return 3
  end
  redis.call('HSET', index, sid, arguments[5])
  record.lineage = node
  set_for(keys[1], pack_session(record), tonumber(arguments[3]))
  return 0
end)
