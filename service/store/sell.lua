-- KEYS: log, number by buyer, mark (ns), stop, stock (fields: free, given, asked, ready).  ARGV: see attempts.lua.
-- Sells each the first free unit, which its line then names at the end.  Returns for each: {'sold', number, unit} where it
-- is logged now, or {'known', line} {'unknown'} {'stopped', why} {'below', mark} {'lost', number} {'not_ready'} {'empty'}
-- {'stock_lost'}.
--! attempts.lua
local stock = redis.call('HMGET', KEYS[5], 'free', 'asked', 'ready')
local first, until_, rest = 1, 0, stock[1] or ''
local new, by_buyer, logged, lines, answers = 0, {}, {}, unnumbered_lines(), {}

local function is_free()
  if first > until_ and rest ~= '' then
    local from, to, behind = string.match(rest, '^(%d+)%-(%d+),?(.*)$')
    first, until_, rest = tonumber(from), tonumber(to), behind
  end
  return first <= until_
end

local function trouble()
  if not stock[1] and last == 0 then
    return {'not_ready'}
  elseif not stock[1] or last == 0 then
    return {'stock_lost'}
  elseif stock[3] ~= '1' then
    return {'not_ready'}
  end
end

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
    answers[n] = trouble()
    if not answers[n] then
      new = new + 1
      answers[n] = {'empty'}
      if is_free() then
        last = last + 1
        local number = string.format('%d', last)
        local unit = string.format('%d', first)
        first = first + 1
        local line = string.sub(numbered(lines[n], number), 1, -2) .. ',"unit":' .. unit .. '}'
        logged[buyer] = line
        log_line(line)
        by_buyer[#by_buyer + 1], by_buyer[#by_buyer + 2] = buyer, number
        answers[n] = {'sold', last, first - 1}
      end
    end
  end
end
log_chunk()
if by_buyer[1] then
  redis.call('HSET', KEYS[2], unpack(by_buyer))
end
if new > 0 then
  local free = rest
  if first <= until_ then
    free = string.format('%d-%d', first, until_) .. (rest == '' and '' or ',' .. rest)
  end
  redis.call('HSET', KEYS[5], 'free', free, 'asked', string.format('%d', stock[2] + new))
end
return answers
