-- KEYS: mark (ns).  ARGV: new mark (ns).  Only forward.  Returns the mark as it stands.
local mark = redis.call('GET', KEYS[1])
if mark and (#mark > #ARGV[1] or (#mark == #ARGV[1] and mark >= ARGV[1])) then
  return mark
end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
