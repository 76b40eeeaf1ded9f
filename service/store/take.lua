-- KEYS: log, stop, stock (fields: free, given, asked, ready), grants (by donor/number: the units that were taken).
-- ARGV: own region, donor ("" for what the arbiter has reissued), number, to, units, regions of the sale (between
-- spaces), the number of the donor's last grant where it is fenced out of the sale (else "").
-- Takes what was granted, once.  Returns {'taken'} {'again'} {'refused', reason} {'stopped', why} {'lost'}.
-- What must not be taken is refused and recorded, each once: `foreign` (it is for another region, or from this one, or
-- from none of the sale), `altered` (it was taken with other units), `fenced` (the donor cannot have given it).
--! log.lua
local own, donor, number, to, units = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local function is_number(text)
  return #text <= 8 and (text == '0' or string.match(text, '^[1-9]%d*$') ~= nil)
end

local is_grant = #number <= 8 and number ~= '0' and is_number(number)
for range in string.gmatch(units .. ',', '([^,]*),') do
  local first, final = string.match(range, '^(%d+)%-(%d+)$')
  is_grant = is_grant and first and is_number(first) and is_number(final) and tonumber(first) <= tonumber(final)
end
if not is_grant then
  return redis.error_reply('ERR a grant is a number and ranges of units')
end
local free = redis.call('HGET', KEYS[3], 'free')
if not free or last == 0 then
  return {'lost'}
end
local grant = donor .. '/' .. number
local taken = redis.call('HGET', KEYS[4], grant)
local reason
if to ~= own or donor == own or (donor ~= '' and not string.find(' ' .. ARGV[6] .. ' ', ' ' .. donor .. ' ', 1, true)) then
  reason = 'foreign'
elseif taken == units then
  return {'again'}
elseif taken then
  reason = 'altered'
elseif ARGV[7] ~= '' and tonumber(number) > tonumber(ARGV[7]) then
  reason = 'fenced'
end
local refusal = reason and reason .. '/' .. grant .. '/' .. units
if reason and redis.call('HEXISTS', KEYS[4], refusal) == 1 then
  return {'refused', reason}
end
local stop = redis.call('GET', KEYS[2])
if stop then
  return {'stopped', stop}
end
last = last + 1
if reason then
  chunk[1] = string.format(
    '{"donor":"%s","number":%s,"reason":"%s","seq":%d,"type":"refused","units":"%s"}', donor, number, reason, last, units)
  log_chunk()
  redis.call('HSET', KEYS[4], refusal, '')
  return {'refused', reason}
end
chunk[1] = string.format('{"donor":"%s","number":%s,"seq":%d,"type":"taken","units":"%s"}', donor, number, last, units)
log_chunk()
redis.call('HSET', KEYS[3], 'free', free == '' and units or free .. ',' .. units)
redis.call('HSET', KEYS[4], grant, units)
return {'taken'}
