-- Packed values (core::record has the same layouts in Rust).

local VERSION = 1
local ACTIVE, CONTESTED, ENDED = 1, 2, 3
local BOUND, BY_ROTATION, REBUILT = 1, 2, 4
local DISABLED, SETS_DISABLED = 1, 2
local REASON_IDLE_TIMEOUT, REASON_ABSOLUTE_TIMEOUT, REASON_LIMIT, REASON_REPLAY = 4, 5, 6, 12
local U32_MAX = 4294967295
local UNKNOWN = '\0\0\0\0'

-- version, state, flags, lineage, family, generation, made, attempt, print, (binding, device), created,
-- idle deadline, absolute deadline, (policy revision, acr, amr, auth_time, id of the jti key, trust, risk, context)
local SESSION, SESSION_SIZE = '>BBBc8I4I4I4c4c4c32I4I4I4c24', 99
-- version, state, reason, lineage, ended at
local TOMBSTONE, TOMBSTONE_SIZE = '>BBBc8I4', 15
-- version, flags, lineage, not before
local USER, USER_SIZE = '>BBc8I4', 14
-- version, lineage, not before
local NOT_BEFORE, NOT_BEFORE_SIZE = '>Bc8I4', 13

-- The session or tombstone in a value; nil where there is none that this release can read.
local function parse_session(value)
  if value and #value == SESSION_SIZE then
    local version, state, flags, written_by, family, generation, made, attempt, print, fixed, created, idle_deadline,
      absolute_deadline, rest = struct.unpack(SESSION, value)
    if version == VERSION and (state == ACTIVE or state == CONTESTED) and flags <= BOUND + BY_ROTATION + REBUILT then
      return {
        state = state,
        bound = flags % 2,
        by_rotation = flags % REBUILT >= BY_ROTATION,
        rebuilt = flags >= REBUILT,
        lineage = written_by,
        family = family,
        generation = generation,
        made = made,
        attempt = attempt,
        print = print,
        fixed = fixed,
        created = created,
        idle_deadline = idle_deadline,
        absolute_deadline = absolute_deadline,
        rest = rest,
      }
    end
  elseif value and #value == TOMBSTONE_SIZE then
    local version, state, reason, written_by, ended_at = struct.unpack(TOMBSTONE, value)
    if version == VERSION and state == ENDED then
      return { state = state, reason = reason, lineage = written_by, ended_at = ended_at }
    end
  end
  return nil
end

local function pack_session(r)
  local flags = r.bound + (r.by_rotation and BY_ROTATION or 0) + (r.rebuilt and REBUILT or 0)
  return struct.pack(SESSION, VERSION, r.state, flags, r.lineage, r.family, r.generation, r.made, r.attempt, r.print,
    r.fixed, r.created, r.idle_deadline, r.absolute_deadline, r.rest)
end

local function pack_tombstone(node, reason, ended_at)
  return struct.pack(TOMBSTONE, VERSION, ENDED, reason, node, ended_at)
end

local function parse_user(value)
  if value and #value == USER_SIZE then
    local version, flags, written_by, not_before = struct.unpack(USER, value)
    if version == VERSION and flags <= DISABLED + SETS_DISABLED then
      return {
        disabled = flags % 2,
        sets_disabled = flags >= SETS_DISABLED,
        lineage = written_by,
        not_before = not_before,
      }
    end
  end
  return nil
end

local function pack_user(node, disabled, not_before)
  return struct.pack(USER, VERSION, disabled, node, not_before)
end

-- What a key holds, if this process wrote it; nothing else may decide anything.
local function current_session(key, node)
  local value = redis.call('GET', key)
  local session = parse_session(value)
  if session and session.lineage == node then
    return session, value
  end
  return nil, '', session
end

local function current_user(key, node)
  local user = parse_user(redis.call('GET', key))
  return user and user.lineage == node and user or nil
end

-- Changes a session and leaves its life as it is.
local function rewrite(key, value)
  redis.call('SET', key, value, 'KEEPTTL')
  return value
end

local function plus(moment, span)
  return math.min(moment + span, U32_MAX)
end
