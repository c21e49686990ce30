-- What PostgreSQL has decided about a session, brought here once more.

-- A contest that waits for a rebuild: a record that is current on no node and says nothing else.
local function pack_contested(family)
  return pack_session({
    state = CONTESTED,
    bound = 0,
    lineage = NO_LINEAGE,
    family = family,
    generation = 0,
    made = 0,
    attempt = UNKNOWN,
    print = UNKNOWN,
    fixed = string.rep('\0', 32),
    created = 0,
    idle_deadline = 0,
    absolute_deadline = 0,
    rest = string.rep('\0', 24),
  })
end

-- contest: KEYS session  ARGS family
-- status 0. The mark that `rotate` made may have been lost, and the record rebuilt, before PostgreSQL knew of it. Where no
-- record of the family is, the mark is left for a rebuild that is under way: it may have read PostgreSQL before. An end,
-- or a newer family, has settled it.
register('contest', WRITES, function(keys, arguments)
  local family = tonumber(arguments[1])
  local session = parse_session(redis.call('GET', keys[1]))
  if session and (session.state == ENDED or session.family > family) then
    return 0
  elseif session and session.family == family then
    session.state = CONTESTED
    rewrite(keys[1], pack_session(session))
  else
    set_for(keys[1], pack_contested(family), CHANGE_WAITS)
  end
  return 0
end)
