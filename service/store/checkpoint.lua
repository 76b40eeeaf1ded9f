-- KEYS: checkpoint (fields: size, note), roots of the log's full blocks (32 bytes each).
-- ARGV: size, note, where in the roots the next ones go (bytes), those roots.
-- Keeps the newest checkpoint; a smaller one, or the same again, does nothing.  Returns the size that is kept.
local known = redis.call('HGET', KEYS[1], 'size')
if known and tonumber(known) >= tonumber(ARGV[1]) then
  return known
end
if ARGV[4] ~= '' then
  redis.call('SETRANGE', KEYS[2], ARGV[3], ARGV[4])
end
redis.call('HSET', KEYS[1], 'size', ARGV[1], 'note', ARGV[2])
return ARGV[1]
