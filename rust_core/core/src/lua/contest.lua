-- What PostgreSQL has decided about a session, brought here once more.

-- contest: KEYS session  ARGS family
-- status 0. The mark that `rotate` made may have been lost, and the record rebuilt, before PostgreSQL knew of it. A record
-- that is missing or stale is rebuilt from PostgreSQL, a newer family has been proved.
register('contest', WRITES, function(keys, arguments, node)
  local session = current_session(keys[1], node)
  if session and session.state == ACTIVE and session.family == tonumber(arguments[1]) then
    session.state = CONTESTED
    rewrite(keys[1], pack_session(session))
  end
  return 0
end)
