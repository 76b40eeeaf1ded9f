-- KEYS: log, number by buyer, number by request, mark (ns), stop.
-- ARGV: (request, buyer, stamp (ns), line up to its number, line after it)*. An empty stamp looks up and logs nothing.
-- Returns for each: its number, where it is logged now, or {'known', line} {'unknown'} {'stopped', why} {'below', mark}
-- {'lost', number}. Few large commands: a thousand small ones cost four times as much here, so what is logged by one
-- call lies in chunks (`chunks.py`), small enough that one line of them is soon found again.
local CHUNK = 64

local function line_at(number)
  local found = redis.call('XRANGE', KEYS[1], number .. '-0', '+', 'COUNT', 1)[1]
  if not found then
    return nil
  end
  local before = string.match(found[1], '^%d+') - number
  local lines = {}
  for line in string.gmatch(found[2][2], '[^\n]+') do
    lines[#lines + 1] = line
  end
  return lines[#lines - before]
end

local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and tonumber(string.match(newest[1], '^%d+')) or 0
local mark = redis.call('GET', KEYS[4]) or ''
local stop = redis.call('GET', KEYS[5])
local asked = {}
for i = 2, #ARGV, 5 do
  asked[#asked + 1] = ARGV[i]
end
local known = redis.call('HMGET', KEYS[2], unpack(asked))
local answers, lines, chunk, by_buyer, by_request = {}, {}, {}, {}, {}

local function log_chunk()
  redis.call('XADD', KEYS[1], string.format('%d-0', last), 'l', table.concat(chunk, '\n'))
  chunk = {}
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
    last = last + 1
    local number = string.format('%d', last)
    local line = ARGV[i + 3] .. number .. ARGV[i + 4]
    lines[buyer] = line
    chunk[#chunk + 1] = line
    if #chunk == CHUNK then
      log_chunk()
    end
    by_buyer[#by_buyer + 1], by_buyer[#by_buyer + 2] = buyer, number
    by_request[#by_request + 1], by_request[#by_request + 2] = ARGV[i], number
    answers[n] = last
  end
end
if chunk[1] then
  log_chunk()
end
if by_buyer[1] then
  redis.call('HSET', KEYS[2], unpack(by_buyer))
  redis.call('HSET', KEYS[3], unpack(by_request))
end
return answers
