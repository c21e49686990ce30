-- Ends: of one session (a tombstone), of all sessions of a user, client or tenant (a not-before).

local function set_for(key, value, seconds)
  redis.call('SET', key, value, 'EX', math.max(1, seconds))
end

local function bury(key, index, sid, tombstone, ttl)
  set_for(key, tombstone, ttl)
  leave_index(index, sid)
end

-- Ends a session, known here or not; the first end stays what it was, whichever process wrote it.
local function end_session(key, index, sid, reason, ended_at, ttl, node)
  local session = parse_session(redis.call('GET', key))
  if session and session.state == ENDED then
    reason, ended_at = session.reason, session.ended_at
    if session.lineage == node then
      leave_index(index, sid)
      return ended_at, reason
    end
  end
  bury(key, index, sid, pack_tombstone(node, reason, ended_at), ttl)
  return ended_at, reason
end

-- end: KEYS session, index  ARGS sid, reason, ended_at, ttl
-- status 0; then the moment and the reason of the first end.
register('end', ENDS, function(keys, arguments, node)
  local sid, reason, ended_at = arguments[1], tonumber(arguments[2]), tonumber(arguments[3])
  return 0, end_session(keys[1], keys[2], sid, reason, ended_at, tonumber(arguments[4]), node)
end)

-- A change to a user that is not known here waits this long for the rebuild that puts it in: longer than a rebuild
-- that had read the user before may take.
local CHANGE_WAITS = 300
-- The stamp of such a change: of no process, so that it reads as "rebuild me".
local NO_LINEAGE = '\0\0\0\0\0\0\0\0'

-- set_user: KEYS user  ARGS disabled (0, 1; -1: keep), not_before (0: keep)
-- status 0. A user that is not known here stays unknown, but the change is kept for a rebuild that is under way: it may
-- have read the user before the change.
register('set_user', ENDS, function(keys, arguments, node)
  local disabled, not_before = tonumber(arguments[1]), tonumber(arguments[2])
  local user = parse_user(redis.call('GET', keys[1])) or { disabled = 0, sets_disabled = false, not_before = 0 }
  not_before = math.max(user.not_before, not_before)
  if user.lineage == node then
    rewrite(keys[1], pack_user(node, disabled < 0 and user.disabled or disabled, not_before))
    return 0
  end
  local flags = 0
  if disabled >= 0 then
    flags = SETS_DISABLED + disabled
  elseif user.sets_disabled then
    flags = SETS_DISABLED + user.disabled
  end
  set_for(keys[1], pack_user(NO_LINEAGE, flags, not_before), CHANGE_WAITS)
  return 0
end)

-- set_not_before: KEYS key  ARGS expected lineage (empty: any), not_before
-- status: 0 written, 1 another lineage. It only rises.
register('set_not_before', ENDS, function(keys, arguments, node)
  local expected, not_before = arguments[1], tonumber(arguments[2])
  if expected ~= '' and expected ~= node then
    return 1
  end
  local value = redis.call('GET', keys[1])
  if value and #value == NOT_BEFORE_SIZE then
    local version, written_by, stored = struct.unpack(NOT_BEFORE, value)
    if version == VERSION and written_by == node then
      not_before = math.max(not_before, stored)
    end
  end
  redis.call('SET', keys[1], struct.pack(NOT_BEFORE, VERSION, node, not_before))
  return 0
end)
