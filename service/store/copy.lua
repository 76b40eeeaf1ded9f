-- KEYS: fence, copy of a region's log.  ARGV: token, number of the first line, number of the last, the lines.
-- A chunk of lines is one entry, numbered like its last line.  A repeat does nothing.
-- Returns {'copied'} {'fenced', token} {'moved', last number}.
local token = redis.call('GET', KEYS[1])
if token ~= ARGV[1] then
  return {'fenced', token or ''}
end
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local last = newest and string.match(newest[1], '^%d+') or '0'
if last == ARGV[3] then
  return {'copied'}
end
if tonumber(last) + 1 ~= tonumber(ARGV[2]) then
  return {'moved', last}
end
redis.call('XADD', KEYS[2], ARGV[3] .. '-0', 'l', ARGV[4])
return {'copied'}
