-- KEYS: log, stop, stock (fields: free, given, asked, ready).
-- ARGV: number (the last grant's + 1; one that was given does nothing), to, wanted (units, from 1).
-- Grants the last free units to a region, as many as there are: they are gone from here with the line that says so.
-- Returns {'granted', units} {'again'} {'empty'} {'stopped', why} {'lost'} (there is no stock, or fewer grants than the
-- caller knows of).
--! log.lua
local stock = redis.call('HMGET', KEYS[3], 'free', 'given')
local number, wanted = tonumber(ARGV[1]), tonumber(ARGV[3])
if not stock[1] or last == 0 or number > stock[2] + 1 then
  return {'lost'}
end
if number <= tonumber(stock[2]) then
  return {'again'}
end
local stop = redis.call('GET', KEYS[2])
if stop then
  return {'stopped', stop}
end
local kept, given = {}, {}
for range in string.gmatch(stock[1], '[^,]+') do
  kept[#kept + 1] = range
end
while wanted > 0 and kept[1] do
  local from, to = string.match(table.remove(kept), '^(%d+)%-(%d+)$')
  local many = to - from + 1
  if many > wanted then
    kept[#kept + 1] = string.format('%s-%d', from, to - wanted)
    from = string.format('%d', to - wanted + 1)
    many = wanted
  end
  table.insert(given, 1, from .. '-' .. to)
  wanted = wanted - many
end
if not given[1] then
  return {'empty'}
end
local units = table.concat(given, ',')
last = last + 1
chunk[1] = string.format('{"number":%d,"seq":%d,"to":"%s","type":"granted","units":"%s"}', number, last, ARGV[2], units)
log_chunk()
redis.call('HSET', KEYS[3], 'free', table.concat(kept, ','), 'given', string.format('%d', number))
return {'granted', units}
