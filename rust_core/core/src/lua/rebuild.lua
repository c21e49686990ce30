-- Rebuilds from PostgreSQL, each a compare-and-set: only on the node that asked for it (same lineage), and only where
-- no current value is. What an older process left is merged where it knows more.

-- Puts what an older process knew of a session into what PostgreSQL knows.
local function merge_session(new, old)
  if old.state == ENDED then
    return old -- ended if either says so; the first end stays what it was
  elseif new.state == ENDED then
    return new
  elseif old.family > new.family then
    return old -- PostgreSQL was set back; a family that was left never comes back
  end
  new.idle_deadline = math.min(math.max(new.idle_deadline, old.idle_deadline), new.absolute_deadline)
  if old.family ~= new.family then
    return new -- families are in PostgreSQL before they are here
  end
  if old.generation >= new.generation then
    new.generation, new.made, new.by_rotation = old.generation, old.made, old.by_rotation
    new.attempt, new.print = old.attempt, old.print
  end
  if old.state == CONTESTED then
    new.state = CONTESTED
  end
  return new
end

-- Whether PostgreSQL knows better than a current record: the session has ended, or its user has stepped up, and the news
-- have not come here. Of one family a current record always knows more.
local function is_overtaken(current, new)
  return current.state ~= ENDED and (new.state == ENDED or current.family < new.family)
end

-- rebuild: KEYS session  ARGS expected lineage, record or tombstone, ttl
-- status: 0 written, 1 another lineage, 2 a current one exists (not of an older family, nor living where PostgreSQL has
-- an end).
-- (core::rebuild is the twin: change one only with the other.)
register('rebuild', WRITES, function(keys, arguments, node)
  if arguments[1] ~= node then
    return 1
  end
  local session = parse_session(arguments[2])
  local current, _, old = current_session(keys[1], node)
  if current and not is_overtaken(current, session) then
    return 2
  end
  old = current or old
  if old then
    session = merge_session(session, old)
  end
  session.lineage = node
  local value
  if session.state == ENDED then
    value = pack_tombstone(node, session.reason, session.ended_at)
  else
    session.rebuilt = true -- writes may have been lost: a token that is newer than the record is no wonder
    value = pack_session(session)
  end
  set_for(keys[1], value, tonumber(arguments[3]))
  return 0
end)

-- rebuild_user: KEYS user, index  ARGS expected lineage, user record, n, (sid, entry) × n
-- status: 0 written, 1 another lineage, 2 a current one exists.
-- A change that was set meanwhile (set_user) is newer than what was read; a not-before only rises.
register('rebuild_user', WRITES, function(keys, arguments, node)
  if arguments[1] ~= node then
    return 1
  end
  local old = parse_user(redis.call('GET', keys[1]))
  if old and old.lineage == node then
    return 2
  end
  local user = parse_user(arguments[2])
  if old then
    user.not_before = math.max(user.not_before, old.not_before)
    if old.sets_disabled then
      user.disabled = old.disabled
    end
  end
  replace_index(keys[2], arguments, 4, tonumber(arguments[3]))
  redis.call('SET', keys[1], pack_user(node, user.disabled, user.not_before))
  return 0
end)
