-- KEYS: log, number by buyer, number by request, mark (ns), stop, stock (fields: free, given, asked, ready).
-- ARGV: (request, buyer, stamp (ns), line up to its number, line after it)*. An empty stamp looks up and logs nothing.
-- Sells each the first free unit, which its line then names at the end.  Returns for each: {'sold', number, unit} where it
-- is logged now, or {'known', line} {'unknown'} {'stopped', why} {'below', mark} {'lost', number} {'not_ready'} {'empty'}
-- {'stock_lost'}.
--! log.lua
local mark = redis.call('GET', KEYS[4]) or ''
local stop = redis.call('GET', KEYS[5])
local stock = redis.call('HMGET', KEYS[6], 'free', 'asked', 'ready')
local first, until_, rest = 1, 0, stock[1] or ''
local new = 0
local asked = {}
for i = 2, #ARGV, 5 do
  asked[#asked + 1] = ARGV[i]
end
local known = redis.call('HMGET', KEYS[2], unpack(asked))
local answers, lines, by_buyer, by_request = {}, {}, {}, {}

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

for n, buyer in ipairs(asked) do
  local i = n * 5 - 4
  local stamp = ARGV[i + 2]
  if known[n] then
    local line = line_at(known[n])
    answers[n] = line and {'known', line} or {'lost', known[n]}
  elseif lines[buyer] then
    answers[n] = {'known', lines[buyer]}
  elseif stamp == '' then
    answers[n] = {'unknown'}
  elseif stop then
    answers[n] = {'stopped', stop}
  elseif #stamp < #mark or (#stamp == #mark and stamp < mark) then
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
        local line = ARGV[i + 3] .. number .. string.sub(ARGV[i + 4], 1, -2) .. ',"unit":' .. unit .. '}'
        lines[buyer] = line
        chunk[#chunk + 1] = line
        if #chunk == CHUNK then
          log_chunk()
        end
        by_buyer[#by_buyer + 1], by_buyer[#by_buyer + 2] = buyer, number
        by_request[#by_request + 1], by_request[#by_request + 2] = ARGV[i], number
        answers[n] = {'sold', last, first - 1}
      end
    end
  end
end
log_chunk()
if by_buyer[1] then
  redis.call('HSET', KEYS[2], unpack(by_buyer))
  redis.call('HSET', KEYS[3], unpack(by_request))
end
if new > 0 then
  local free = rest
  if first <= until_ then
    free = string.format('%d-%d', first, until_) .. (rest == '' and '' or ',' .. rest)
  end
  redis.call('HSET', KEYS[6], 'free', free, 'asked', string.format('%d', stock[2] + new))
end
return answers
