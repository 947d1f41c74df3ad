-- wrk -s post.lua URL -- FILE NAME=VALUE ...: posts the file's bodies in turn, with these headers, and ends with a line of JSON.
-- The file holds each body behind its length in bytes: "<length>\n<body>\n".
local requests, count, at = {}, 0, 0

function init(arguments)
  local headers = {}
  for k = 2, #arguments do
    local name, value = arguments[k]:match("^(.-)=(.*)$")
    headers[name] = value
  end
  local file = assert(io.open(arguments[1], "rb"))
  for length in file:lines() do
    count = count + 1
    requests[count] = wrk.format("POST", nil, headers, file:read(tonumber(length)))
    file:read(1)
  end
  file:close()
end

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\nJSON {"requests": %d, "microseconds": %d, "bytes": %d, "refused": %d, "broken": %d, "p50": %d, "p95": %d, "p99": %d, "max": %d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
