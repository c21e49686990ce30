#!lua name=@LIBRARY@
-- The functions of Argus: every decision on live state is one call of one of these, so it is atomic, by one clock, and
-- knows which Redis process makes it.
--
-- Each answers an array { status, time in ms, lineage, … }. All keys of a call share a hash tag. Times in arguments
-- and values are seconds since 1970.

-- Moves the clock of the functions; tests set it when they load the library.
local OFFSET_MS = @OFFSET_MS@

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000) + OFFSET_MS
end

local function from_hex(text)
  return (string.gsub(text, '%x%x', function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

-- Lineage: a fingerprint of this process and its replication history. It changes on a restart (also from a snapshot)
-- and on a promotion, that is, whenever writes may have been lost. The run id is fixed for the life of the process that
-- holds these locals; the replication id has to be read anew each time. A replica has none: what it knows may be old.
local run_id, replication_id, stamp

local function lineage()
  local replication = redis.call('INFO', 'replication')
  if string.find(replication, 'role:slave', 1, true) then
    return nil
  end
  local current = string.match(replication, 'master_replid:(%x+)')
  if current ~= replication_id then
    run_id = run_id or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
    stamp = from_hex(string.sub(redis.sha1hex(run_id .. current), 1, 16))
    replication_id = current
  end
  return stamp
end

local function envelope(time, node, status, ...)
  return { status, time, node, ... }
end

-- Registers `body(keys, arguments, node, now, time in ms)`, which returns a status and what follows the lineage in the answer.
local function register(name, flags, body)
  redis.register_function({
    function_name = '@LIBRARY@_' .. name,
    flags = flags,
    callback = function(keys, arguments)
      local time, node = now_ms(), lineage()
      if not node then
        return redis.error_reply('READONLY this is a replica, and Argus asks only the primary')
      end
      return envelope(time, node, body(keys, arguments, node, math.floor(time / 1000), time))
    end,
  })
end

-- Flags of functions. An end needs no more memory than what it replaces: it must work in a full store, too.
local READS = { 'no-writes' }
local WRITES = {}
local ENDS = { 'allow-oom' }
