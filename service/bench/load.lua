-- Requests for wrk, each of a buyer that nobody else is, and the figures of the run as one line of JSON.
-- Arguments after `--`: method, path, token, prefix of the buyers, whether each head is to be another (0 or 1), and
-- purchases in a request (0: no body; 1: the purchase call; more: the batch call).
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  method, path, token, prefix = args[1], args[2], args[3], args[4]
  another_head, purchases = args[5] == "1", tonumber(args[6])
  start = method .. " " .. path .. " HTTP/1.1\r\nhost: bench\r\n"
    .. (token ~= "" and "authorization: Bearer " .. token .. "\r\n" or "")
    .. (purchases > 0 and "content-type: application/json\r\n" or "")
  counter = 0
end

local function buyer()
  counter = counter + 1
  return string.format('{"buyer":"%s-%d-%09d"}', prefix, number, counter)
end

function request()
  local head = start
  if another_head then
    head = head .. string.format("idempotency-key: %s-%d-%09d\r\n", prefix, number, counter)
  end
  if purchases == 0 then
    return head .. "\r\n"
  end
  local body
  if purchases == 1 then
    body = buyer()
  else
    local entries = {}
    for entry = 1, purchases do
      entries[entry] = buyer()
    end
    body = '{"purchases":[' .. table.concat(entries, ",") .. ']}'
  end
  return head .. "content-length: " .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"p50_us":%.1f,"p99_us":%.1f,"max_us":%.1f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
