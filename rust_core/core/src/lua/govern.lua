-- What a session lives by after a policy has changed.

-- govern: KEYS session  ARGS policy revision (4 bytes), absolute deadline
-- status: 0 written, 1 the record is missing or stale (PostgreSQL has what is new, and so will its rebuild), 2 it has
-- ended.
-- No deadline ever moves back out: a use that was told a moment by a longer policy keeps it, and no more.
register('govern', WRITES, function(keys, arguments, node)
  local session = current_session(keys[1], node)
  if not session then
    return 1
  elseif session.state == ENDED then
    return 2
  end
  session.rest = arguments[1] .. string.sub(session.rest, 5)
  session.absolute_deadline = math.min(session.absolute_deadline, tonumber(arguments[2]))
  session.idle_deadline = math.min(session.idle_deadline, session.absolute_deadline)
  rewrite(keys[1], pack_session(session))
  return 0
end)
