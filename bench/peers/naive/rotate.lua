-- Spends one generation of a session's refresh tokens. A second use of a token ends the session (RFC 9700, 4.14.2).
-- Answers the next generation, or "ended", "expired", "replayed".
local now, presented, idle = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local session = redis.call('HMGET', KEYS[1], 'generation', 'ended', 'idle_deadline', 'absolute_deadline')
local absolute_deadline = tonumber(session[4])
if not session[1] or session[2] ~= '0' then
  return 'ended'
elseif now >= math.min(tonumber(session[3]), absolute_deadline) then
  return 'expired'
elseif tonumber(session[1]) ~= presented then
  redis.call('HSET', KEYS[1], 'ended', '1')
  return 'replayed'
end
local idle_deadline = math.min(now + idle, absolute_deadline)
redis.call('HSET', KEYS[1], 'generation', presented + 1, 'last_seen', now, 'idle_deadline', idle_deadline)
return presented + 1
