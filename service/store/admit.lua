-- KEYS: log, number by buyer, mark (ns), stop.  ARGV: see attempts.lua.
-- Returns the number of the last, where all are logged now, one behind the other. Else for each: its number, where it is
-- logged now, or {'known', line} {'unknown'} {'stopped', why} {'below', mark} {'lost', number}.
--! attempts.lua
local by_buyer, logged = {}, {}

local function all_are_new()
  if attempts > with_line or stop or is_below(least) then
    return false
  end
  local seen = {}
  for n = 1, attempts do
    local buyer = ARGV[FIRST + n]
    if known[n] or seen[buyer] then
      return false
    end
    seen[buyer] = true
  end
  return true
end

-- Nearly every call of a crowd: what came as one piece stays one.
if all_are_new() then
  local n, number = 0, nil
  local function count(place)
    if place == '\1' then
      n, last = n + 1, last + 1
      number = string.format('%d', last)
      by_buyer[2 * n - 1], by_buyer[2 * n] = ARGV[FIRST + n], number
    end
    return number
  end
  for piece = FIRST + attempts + 1, #ARGV do
    local lines = string.gsub(ARGV[piece], '[\1\2]', count)
    redis.call('XADD', KEYS[1], number .. '-0', 'l', lines)
  end
  redis.call('HSET', KEYS[2], unpack(by_buyer))
  return last
end

local lines, answers = unnumbered_lines(), {}
for n = 1, attempts do
  local buyer = ARGV[FIRST + n]
  if known[n] then
    answers[n] = found(known[n])
  elseif logged[buyer] then
    answers[n] = {'known', logged[buyer]}
  elseif n > with_line then
    answers[n] = {'unknown'}
  elseif stop then
    answers[n] = {'stopped', stop}
  elseif is_below(stamp_of(lines[n])) then
    answers[n] = {'below', mark}
  else
    last = last + 1
    local number = string.format('%d', last)
    local line = numbered(lines[n], number)
    logged[buyer] = line
    log_line(line)
    by_buyer[#by_buyer + 1], by_buyer[#by_buyer + 2] = buyer, number
    answers[n] = last
  end
end
log_chunk()
if by_buyer[1] then
  redis.call('HSET', KEYS[2], unpack(by_buyer))
end
return answers
