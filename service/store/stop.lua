-- KEYS: stop.  ARGV: why.
-- Stops a region's log of a sale. The first reason stays, but for `list_full…`, which stops purchases only and gives way
-- to whatever stops the rest.  Returns the reason as it stands.
local known = redis.call('GET', KEYS[1])
if known and (string.sub(known, 1, 9) ~= 'list_full' or string.sub(ARGV[1], 1, 9) == 'list_full') then
  return known
end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
