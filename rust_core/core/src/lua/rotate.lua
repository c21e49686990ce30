-- The decision on a presented refresh token (core::rotation is the twin: change one only with the other).

-- Verdicts (core::rotation::Verdict says what each means).
local ROTATED, REPEATED, CURRENT, HELD = 0, 1, 2, 3
local MISSING, STALE, USER_MISSING, NEWER_FAMILY = 10, 11, 12, 13
local IS_ENDED, IDLE_TIMEOUT, ABSOLUTE_TIMEOUT, USER_DISABLED, BEFORE, PROOF_REQUIRED = 20, 21, 22, 23, 24, 25
local OLDER_FAMILY, IS_CONTESTED, PRINT_CHANGED, ANSWER_LATE, REPLAYED, REPLAYED_ENDED = 30, 31, 32, 33, 34, 35

local function presented_token(arguments)
  local number = tonumber
  return {
    family = number(arguments[1]),
    generation = number(arguments[2]),
    issued_at = number(arguments[3]),
    has_proof = arguments[4] == '1',
    attempt = arguments[5],
    print = arguments[6],
    grace = number(arguments[7]),
    deadline = number(arguments[8]),
    is_strict = arguments[9] == '1',
    may_rotate = arguments[10] == '1',
    ends_on_replay = arguments[11] == '1',
    is_activity = arguments[12] == '1',
    idle = number(arguments[13]),
    absolute_max = number(arguments[14]),
    not_before = number(arguments[15]),
  }
end

-- An equal attempt, or no difference in the strongest half of the prints that both sides have. Missing evidence is
-- unknown, never "changed" (core::record::evidence says why).
local function same_holder(session, token)
  if token.attempt ~= UNKNOWN and token.attempt == session.attempt then
    return true
  end
  for first = 1, 3, 2 do
    local mine, theirs = string.sub(token.print, first, first + 1), string.sub(session.print, first, first + 1)
    if mine ~= '\0\0' and theirs ~= '\0\0' then
      return mine == theirs
    end
  end
  return true
end

-- The rows of the table that don't look at the generation.
local function refusal(session, user_key, token, node, now)
  local seen = token.is_activity and token.issued_at or 0
  local passed = passed_deadline(session, idle_deadline_seen(session, seen, token.idle), token.absolute_max, now)
  if passed then
    return passed == REASON_IDLE_TIMEOUT and IDLE_TIMEOUT or ABSOLUTE_TIMEOUT
  end
  local user = current_user(user_key, node)
  if not user then
    return USER_MISSING
  elseif user.disabled == 1 then
    return USER_DISABLED
  elseif session.created <= math.max(user.not_before, token.not_before) then
    return BEFORE
  elseif session.bound == 1 and not token.has_proof then
    return PROOF_REQUIRED
  elseif token.family < session.family then
    return OLDER_FAMILY
  elseif token.family > session.family then
    return NEWER_FAMILY
  elseif session.state == CONTESTED then
    return IS_CONTESTED
  end
  return nil
end

-- Adoptions (core::rotation::Adoption says what each means).
local NOT_ADOPTED, EXPLAINED, UNEXPLAINED = 0, 1, 2

-- g > G: the store lost writes, the token itself says what they were. Who made its generation is unknown. A loss goes
-- along with a rebuild: where there was none since the family began, nothing explains it.
local function adopt(session, token)
  if token.generation <= session.generation then
    return NOT_ADOPTED
  end
  session.generation, session.made, session.by_rotation = token.generation, token.issued_at, true
  session.attempt, session.print = UNKNOWN, UNKNOWN
  return session.rebuilt and EXPLAINED or UNEXPLAINED
end

-- The rows on the generation, of a token that is not newer than the record.
local function judge(session, token, now)
  local age = math.max(0, now - session.made)
  if token.generation == session.generation then
    if not token.is_strict and session.by_rotation and age <= token.grace + token.deadline then
      return REPEATED
    elseif token.may_rotate and session.generation < U32_MAX then
      return ROTATED
    end
    return HELD
  elseif token.is_strict then
    return REPLAYED_ENDED
  elseif session.bound == 1 then
    return CURRENT -- the proof was checked before
  elseif token.generation < session.generation - 1 then
    return token.ends_on_replay and REPLAYED_ENDED or REPLAYED
  elseif age > token.grace then
    return ANSWER_LATE
  end
  return same_holder(session, token) and CURRENT or PRINT_CHANGED
end

-- Changes the session by what follows from the verdict; answers whether there is something to write.
local function follow(session, verdict, token, adopted, now)
  local is_changed = adopted ~= NOT_ADOPTED
  if verdict == REPLAYED then
    session.state, is_changed = CONTESTED, true
  elseif verdict == ROTATED then
    session.generation, session.made, session.by_rotation = session.generation + 1, now, true
    session.attempt, session.print = token.attempt, token.print
    is_changed = true
  end
  if verdict <= HELD and token.is_activity then
    local deadline = deadline_after_use(session, now, token.idle, token.absolute_max)
    if is_changed or is_worth_a_write(session, deadline, token.idle) then
      session.idle_deadline, is_changed = deadline, true
    end
  end
  return is_changed
end

-- rotate: KEYS session, user
-- ARGS family, g, iat, proof, attempt (4 bytes), print (4), grace, deadline, strict, may_rotate, end_on_replay,
--      activity, idle, absolute_max, not_before (the later one of tenant and client)
-- status: the verdict; then the record (or tombstone) as it is now, and the adoption.
register('rotate', WRITES, function(keys, arguments, node, now)
  local session, value, stale = current_session(keys[1], node)
  if not session then
    return stale and STALE or MISSING, '', NOT_ADOPTED
  elseif session.state == ENDED then
    return IS_ENDED, value, NOT_ADOPTED
  end
  local token = presented_token(arguments)
  local refused = refusal(session, keys[2], token, node, now)
  if refused then
    return refused, value, NOT_ADOPTED
  end
  local adopted = adopt(session, token)
  local verdict = judge(session, token, now)
  if verdict == REPLAYED_ENDED then
    value = rewrite(keys[1], pack_tombstone(node, REASON_REPLAY, now))
  elseif follow(session, verdict, token, adopted, now) then
    value = rewrite(keys[1], pack_session(session))
  end
  return verdict, value, adopted
end)
