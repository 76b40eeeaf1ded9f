-- What scripts begin with that take attempts to enter a sale, where they say `--! attempts.lua`.
-- KEYS: log, number by buyer, mark (ns), stop.
-- ARGV: least stamp of those with a line (ns), how many have one, (buyer)*, (lines of up to a chunk's number of them)*.
-- In a line "\1", and behind it "\2", stand where its number goes. Buyers behind those with a line are only looked up.
-- `attempts.py` makes these words.
--! log.lua
local FIRST = 2
local least, with_line = ARGV[1], tonumber(ARGV[2])
local attempts = #ARGV - FIRST - math.ceil(with_line / CHUNK)
local mark = redis.call('GET', KEYS[3]) or ''
local stop = redis.call('GET', KEYS[4])
local known = redis.call('HMGET', KEYS[2], unpack(ARGV, FIRST + 1, FIRST + attempts))

local function is_below(stamp)
  return #stamp < #mark or (#stamp == #mark and stamp < mark)
end

local function unnumbered_lines()
  local lines = {}
  for piece = FIRST + attempts + 1, #ARGV do
    for line in string.gmatch(ARGV[piece], '[^\n]+') do
      lines[#lines + 1] = line
    end
  end
  return lines
end

local function found(number)
  local line = line_at(number)
  return line and {'known', line} or {'lost', number}
end

local function stamp_of(line)
  return string.match(line, '"stamp_ns":"(%d+)"')
end

local function numbered(line, number)
  return (string.gsub(line, '[\1\2]', number))
end
