-- KEYS: fence, decision log.  ARGV: token, records before, (line, winner)*.
-- Appends under the newest token only, and only onto the log that was seen; a repeat does nothing.
-- Returns {'appended'} {'fenced', token} {'moved', records}.
local token = redis.call('GET', KEYS[1])
if token ~= ARGV[1] then
  return {'fenced', token or ''}
end
local before, records = tonumber(ARGV[2]), (#ARGV - 2) / 2
local length = redis.call('XLEN', KEYS[2])
if length == before + records then
  local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  if newest and newest[2][2] == ARGV[#ARGV - 1] then
    return {'appended'}
  end
end
if length ~= before then
  return {'moved', tostring(length)}
end
for i = 3, #ARGV, 2 do
  before = before + 1
  redis.call('XADD', KEYS[2], string.format('%d-0', before), 'l', ARGV[i], 'b', ARGV[i + 1])
end
return {'appended'}
