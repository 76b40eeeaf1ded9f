-- KEYS: a copy of a numbered stream.  ARGV: number of the first, (line, winner)*.
-- Entries that the copy has already are passed over; entries that would leave a gap are not taken.
-- Returns how many the copy has, or minus the number of the first one that it has otherwise.
local length = redis.call('XLEN', KEYS[1])
local number = tonumber(ARGV[1])
for i = 2, #ARGV, 2 do
  if number == length + 1 then
    redis.call('XADD', KEYS[1], string.format('%d-0', number), 'l', ARGV[i], 'b', ARGV[i + 1])
    length = number
  elseif number <= length then
    local id = string.format('%d-0', number)
    local known = redis.call('XRANGE', KEYS[1], id, id)[1]
    if not known or known[2][2] ~= ARGV[i] then
      return -number
    end
  end
  number = number + 1
end
return length
