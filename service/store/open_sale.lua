-- KEYS: fence, sales, seeds, opened; owners, where one is known.  ARGV: token, proposal, sale, terms line, seed (hex); owner.
-- Records a sale for a proposal, once.  Returns {'opened', sale} {'fenced', token}; the sale is the first one recorded.
local token = redis.call('GET', KEYS[1])
if token ~= ARGV[1] then
  return {'fenced', token or ''}
end
local sale = redis.call('HGET', KEYS[4], ARGV[2])
if sale then
  return {'opened', sale}
end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[5])
if KEYS[5] then
  redis.call('HSET', KEYS[5], ARGV[3], ARGV[6])
end
redis.call('XADD', KEYS[2], string.format('%d-0', redis.call('XLEN', KEYS[2]) + 1), 'l', ARGV[4], 'b', '')
redis.call('HSET', KEYS[4], ARGV[2], ARGV[3])
return {'opened', ARGV[3]}
