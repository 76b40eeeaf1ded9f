-- What all scripts of a region's log begin with, where they say `--! log.lua` (`scripts.py`). KEYS[1] is the log.
-- Few large commands: a thousand small ones cost four times as much, so what is logged by one call lies in chunks
-- (`chunks.py`), small enough that one line of them is soon found again.
local CHUNK = 64
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and tonumber(string.match(newest[1], '^%d+')) or 0
local chunk = {}

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

local function log_chunk()
  if chunk[1] then
    redis.call('XADD', KEYS[1], string.format('%d-0', last), 'l', table.concat(chunk, '\n'))
    chunk = {}
  end
end

local function log_line(line)
  chunk[#chunk + 1] = line
  if #chunk == CHUNK then
    log_chunk()
  end
end
