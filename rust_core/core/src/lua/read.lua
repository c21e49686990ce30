-- Plain reads, with the time and lineage they were made at.

local function value_of(key)
  return key and key ~= '' and redis.call('GET', key) or ''
end

-- read: KEYS session, user (may be left out, or empty where nothing is spread over slots)
-- status 0; then both values, empty where there is none.
register('read', READS, function(keys)
  return 0, value_of(keys[1]), value_of(keys[2])
end)

-- stamped: KEYS key
-- status 0; then the value, empty where there is none.
register('stamped', READS, function(keys)
  return 0, value_of(keys[1])
end)

-- node: no keys
-- status 0; then the run id of this process: by it the same primary under a new lineage is told from another one.
register('node', READS, function()
  return 0, run_id
end)
