-- KEYS: log, number by buyer, number by request, mark (ns), stop.
-- ARGV: (request, buyer, stamp (ns), line up to its number, line after it)*. An empty stamp looks up and logs nothing.
-- Returns for each: its number, where it is logged now, or {'known', line} {'unknown'} {'stopped', why} {'below', mark}
-- {'lost', number}.
--! log.lua
local mark = redis.call('GET', KEYS[4]) or ''
local stop = redis.call('GET', KEYS[5])
local asked = {}
for i = 2, #ARGV, 5 do
  asked[#asked + 1] = ARGV[i]
end
local known = redis.call('HMGET', KEYS[2], unpack(asked))
local answers, lines, by_buyer, by_request = {}, {}, {}, {}

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
log_chunk()
if by_buyer[1] then
  redis.call('HSET', KEYS[2], unpack(by_buyer))
  redis.call('HSET', KEYS[3], unpack(by_request))
end
return answers
