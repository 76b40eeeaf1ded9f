-- KEYS: outbox.  ARGV: the number of its last message before, message*.
-- Appends behind that message only: of two who plan at once, one is told that it has moved.
-- Returns {'appended'} {'moved', last number}.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and string.match(newest[1], '^%d+') or '0'
if last ~= ARGV[1] then
  return {'moved', last}
end
local number = tonumber(last)
for i = 2, #ARGV do
  number = number + 1
  redis.call('XADD', KEYS[1], string.format('%d-0', number), 'l', ARGV[i])
end
return {'appended'}
