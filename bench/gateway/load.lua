-- Load for wrk: one chat completion, streamed or not, and one line of JSON at the end.
-- Environment: BENCH_STREAM (1: streamed), BENCH_MODEL, BENCH_HEADERS ("name: value" lines).
local streamed = os.getenv("BENCH_STREAM") == "1"
local model = os.getenv("BENCH_MODEL") or "mock"

local payload = '{"model":"' .. model .. '","messages":['
  .. '{"role":"system","content":"Answer briefly and to the point."},'
  .. '{"role":"user","content":"In about fifty words: why do rivers bend?"}]'
if streamed then
  payload = payload .. ',"stream":true,"stream_options":{"include_usage":true}'
end

wrk.method = "POST"
wrk.body = payload .. "}"
wrk.headers["content-type"] = "application/json"
for line in (os.getenv("BENCH_HEADERS") or ""):gmatch("[^\n]+") do
  local name, value = line:match("^([^:]+):%s*(.*)$")
  if name then wrk.headers[name] = value end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests":%d,"seconds":%.4f,"p50Ms":%.4f,"p90Ms":%.4f,"p99Ms":%.4f,"badStatus":%d,"socketErrors":%d}',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
