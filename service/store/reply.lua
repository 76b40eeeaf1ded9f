-- KEYS: log, number by purchase of what its holder said, mark (ns), stop.
-- ARGV: purchase, stamp (ns), line up to its number, line after it.  An empty stamp looks up and logs nothing.
-- Logs what the holder of a reserved unit says, once for each purchase: what was said first stands, and is found again.
-- A stop that begins with `list_full` stops purchases only.
-- Returns its number, where it is logged now, or {'known', line} {'unknown'} {'stopped', why} {'below', mark}
-- {'lost', number}.
--! log.lua
local purchase, stamp = ARGV[1], ARGV[2]
local known = redis.call('HGET', KEYS[2], purchase)
if known then
  local line = line_at(known)
  return line and {'known', line} or {'lost', known}
end
if stamp == '' then
  return {'unknown'}
end
local stop = redis.call('GET', KEYS[4])
if stop and string.sub(stop, 1, 9) ~= 'list_full' then
  return {'stopped', stop}
end
local mark = redis.call('GET', KEYS[3]) or ''
if #stamp < #mark or (#stamp == #mark and stamp < mark) then
  return {'below', mark}
end
last = last + 1
local number = string.format('%d', last)
log_line(ARGV[3] .. number .. ARGV[4])
log_chunk()
redis.call('HSET', KEYS[2], purchase, number)
return last
