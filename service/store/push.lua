-- KEYS: a copy of a numbered stream.  ARGV: number of the first, (line, winner)*.
-- Entries that the copy has already are passed over; entries that would leave a gap are not taken.
-- Returns how many the copy has.
local length = redis.call('XLEN', KEYS[1])
local number = tonumber(ARGV[1])
for i = 2, #ARGV, 2 do
  if number == length + 1 then
    redis.call('XADD', KEYS[1], string.format('%d-0', number), 'l', ARGV[i], 'b', ARGV[i + 1])
    length = number
  end
  number = number + 1
end
return length
