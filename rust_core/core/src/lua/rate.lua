-- What is thought of a session: its trust, and the context that it was last found good in.

-- The entry of a session in the index with the trust of its record (in hundredths and one more; 0: not rated), so that
-- limits go by it. It is trust at the user's proof, whose time is in the entry; what fades since is computed.
local function rate_entry(index, sid, trust)
  local entry = redis.call('HGET', index, sid)
  if parse_entry(entry) then
    local hundredths = struct.unpack('>I2', trust)
    local whole = hundredths == 0 and NOT_RATED or math.floor((hundredths - 1) / 100 + 0.5)
    redis.call('HSET', index, sid, string.sub(entry, 1, 17) .. string.char(whole) .. string.sub(entry, 19))
  end
end

-- rate: KEYS session, index  ARGS family, trust and risk (3 bytes; empty: as they are), context (9 bytes; empty: as it
-- is), sid
-- status: 0 written, 1 the record is missing or stale (PostgreSQL has what is new, and so will its rebuild), 2 it has
-- ended, 3 it is of another family: what was judged is over.
register('rate', WRITES, function(keys, arguments, node)
  local session = current_session(keys[1], node)
  if not session then
    return 1
  elseif session.state == ENDED then
    return 2
  elseif session.family ~= tonumber(arguments[1]) then
    return 3
  end
  local rest = session.rest
  if arguments[2] ~= '' then
    rate_entry(keys[2], arguments[4], arguments[2])
  end
  local trust = arguments[2] ~= '' and arguments[2] or string.sub(rest, 13, 15)
  local context = arguments[3] ~= '' and arguments[3] or string.sub(rest, 16)
  session.rest = string.sub(rest, 1, 12) .. trust .. context
  rewrite(keys[1], pack_session(session))
  return 0
end)
