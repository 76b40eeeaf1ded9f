-- KEYS: log, number by buyer, number by request, mark (ns), stop.
-- ARGV: (request, buyer, stamp (ns), line up to its number, line after it)*. An empty stamp looks up and logs nothing.
-- Returns for each: {'logged', number} {'known', line} {'unknown'} {'stopped', why} {'below', mark} {'lost', number}.
local last = redis.call('XLEN', KEYS[1])
local mark = redis.call('GET', KEYS[4]) or ''
local stop = redis.call('GET', KEYS[5])
local answers = {}
for i = 1, #ARGV, 5 do
  local request, buyer, stamp = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local known = redis.call('HGET', KEYS[2], buyer)
  local answer
  if known then
    local found = redis.call('XRANGE', KEYS[1], known .. '-0', known .. '-0')[1]
    answer = found and {'known', found[2][2]} or {'lost', known}
  elseif stamp == '' then
    answer = {'unknown'}
  elseif stop then
    answer = {'stopped', stop}
  elseif #stamp < #mark or (#stamp == #mark and stamp < mark) then
    answer = {'below', mark}
  else
    local number = string.format('%d', last + 1)
    redis.call('XADD', KEYS[1], number .. '-0', 'l', ARGV[i + 3] .. number .. ARGV[i + 4])
    redis.call('HSET', KEYS[2], buyer, number)
    redis.call('HSET', KEYS[3], request, number)
    last = last + 1
    answer = {'logged', number}
  end
  answers[#answers + 1] = answer
end
return answers
