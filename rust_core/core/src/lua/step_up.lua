-- Step-up: a new refresh family for a session whose user has proved itself anew.

-- step_up: KEYS session, user, index  ARGS record, sid, ttl, entry
-- status: 0 written, 1 the session or its user is missing or stale, 2 it has ended (or its user is disabled, or it began
-- up to the user's not-before), 3 the record's family is as new or newer; then the record (or tombstone) as it is now.
-- The family is in PostgreSQL already. It begins clean: what the older one was (contested, rebuilt, by whom it was
-- rotated last) is not asked for; what ended in between stays ended.
register('step_up', WRITES, function(keys, arguments, node)
  local sid = arguments[2]
  local session, value = current_session(keys[1], node)
  if not session then
    return 1, ''
  elseif session.state == ENDED then
    return 2, value
  end
  local user = current_user(keys[2], node)
  if not user then
    return 1, value
  elseif user.disabled == 1 or session.created <= user.not_before then
    return 2, value
  end
  local stepped = parse_session(arguments[1])
  if stepped.family <= session.family then
    return 3, value
  end
  stepped.lineage = node
  value = pack_session(stepped)
  redis.call('HSET', keys[3], sid, arguments[4])
  set_for(keys[1], value, tonumber(arguments[3]))
  return 0, value
end)
