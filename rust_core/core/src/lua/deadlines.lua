-- Deadlines, activity, and the sweeper's question (core::deadlines is the twin: change one only with the other).

-- The session's absolute deadline under the policy in force now: a shortened one bites, a longer one does not.
local function absolute_under(session, absolute_max)
  return math.min(session.absolute_deadline, plus(session.created, absolute_max))
end

-- The session's idle deadline, given a token that says that the session was in use at `seen` (0: nothing says so). A
-- rebuilt record may have lost uses with the store; any other knows them all.
local function idle_deadline_seen(session, seen, idle)
  if session.rebuilt and seen > 0 then
    return math.max(session.idle_deadline, plus(seen, idle))
  end
  return session.idle_deadline
end

-- Reason and moment of the deadline that passed first; nil if none has.
local function passed_deadline(session, idle_deadline, absolute_max, now)
  local absolute = absolute_under(session, absolute_max)
  if now < math.min(absolute, idle_deadline) then
    return nil
  elseif absolute <= idle_deadline then
    return REASON_ABSOLUTE_TIMEOUT, absolute
  end
  return REASON_IDLE_TIMEOUT, idle_deadline
end

local function deadline_after_use(session, active, idle, absolute_max)
  return math.min(plus(active, idle), absolute_under(session, absolute_max))
end

-- Activity is written no more often than once in idle/20.
local function is_worth_a_write(session, deadline, idle)
  local moved = math.abs(session.idle_deadline - deadline)
  return moved > 0 and moved * 20 >= idle
end

-- touch: KEYS session, user  ARGS active (0: now), idle, absolute_max, seen (0: no token says when it was in use)
-- status: 0 ok, 1 missing or stale, 2 ended, 3 idle deadline passed, 4 absolute deadline passed; then the record.
-- A use now sets the idle deadline, so that a shortened policy bites; one that is reported late only extends it.
register('touch', WRITES, function(keys, arguments, node, now)
  local active, idle, absolute_max = tonumber(arguments[1]), tonumber(arguments[2]), tonumber(arguments[3])
  local seen = tonumber(arguments[4])
  local session, value = current_session(keys[1], node)
  if not session then
    return 1, ''
  elseif session.state == ENDED then
    return 2, value
  end
  local passed = passed_deadline(session, idle_deadline_seen(session, seen, idle), absolute_max, now)
  if passed then
    return passed == REASON_IDLE_TIMEOUT and 3 or 4, value
  end
  local user = current_user(keys[2], node)
  if not user then
    return 1, value
  elseif user.disabled == 1 or session.created <= user.not_before then
    return 2, value
  end
  local deadline
  if active == 0 or active >= now then
    deadline = deadline_after_use(session, now, idle, absolute_max)
  else
    deadline = math.max(deadline_after_use(session, active, idle, absolute_max), session.idle_deadline)
  end
  if session.state == ACTIVE and is_worth_a_write(session, deadline, idle) then
    session.idle_deadline = deadline
    value = rewrite(keys[1], pack_session(session))
  end
  return 0, value
end)

-- expire: KEYS session, user, index  ARGS sid, idle, absolute_max, tombstone_ttl
-- status: 0 not due, 1 missing or stale, 2 ended before, 3 ended by the idle deadline, 4 by the absolute one; from 2 on
-- followed by the moment it ended and the reason. It ended when the deadline passed, not when the sweeper came.
register('expire', ENDS, function(keys, arguments, node, now)
  local sid, absolute_max, ttl = arguments[1], tonumber(arguments[3]), tonumber(arguments[4])
  local session = current_session(keys[1], node)
  if not session then
    return 1
  elseif session.state == ENDED then
    leave_index(keys[3], sid)
    return 2, session.ended_at, session.reason
  end
  local reason, ended_at = passed_deadline(session, session.idle_deadline, absolute_max, now)
  if not reason then
    return 0
  end
  bury(keys[1], keys[3], sid, pack_tombstone(node, reason, ended_at), ttl)
  return reason == REASON_IDLE_TIMEOUT and 3 or 4, ended_at, reason
end)
