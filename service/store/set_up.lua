-- KEYS: log, stock (fields: free, given, asked, ready).
-- ARGV: the region's units, ready ("1" once the arbiter has copied the log's first line, else "").
-- Begins a log with the region's share, where neither it nor a stock is there; says that units may be sold. Whoever has
-- copied the first line finds it here: a log or a stock that is gone is never made anew.
-- Returns {'stocked'} {'there'} {'lost'}.
local logged = redis.call('EXISTS', KEYS[1])
local stocked = redis.call('HEXISTS', KEYS[2], 'free')
if logged == 1 and stocked == 1 then
  if ARGV[2] == '1' then
    redis.call('HSET', KEYS[2], 'ready', '1')
  end
  return {'there'}
end
if logged == 1 or stocked == 1 or ARGV[2] == '1' then
  return {'lost'}
end
redis.call('XADD', KEYS[1], '1-0', 'l', '{"seq":1,"type":"stocked","units":"' .. ARGV[1] .. '"}')
redis.call('HSET', KEYS[2], 'free', ARGV[1], 'given', '0', 'asked', '0')
return {'stocked'}
