#!lua name=argus_bench
-- What `rotate` is held against, and what some of its parts cost alone.

-- A plain compare-and-set of a value as long as a record.
redis.register_function('bench_compare_and_set', function(keys, arguments)
  if redis.call('GET', keys[1]) ~= arguments[1] then
    return 0
  end
  redis.call('SET', keys[1], arguments[2], 'KEEPTTL')
  return 1
end)

-- A call with nothing in it.
redis.register_function('bench_nothing', function()
  return 0
end)

-- What the lineage is read from. (ROLE, which is smaller, may not be called from a function.)
redis.register_function('bench_info', function()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end)

redis.register_function('bench_time', function()
  return redis.call('TIME')[1]
end)
