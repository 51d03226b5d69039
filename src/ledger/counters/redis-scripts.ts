/**
 * The Lua of counters in Redis. Lua has only doubles, so a count is two of them here, `hi * 1e9 + lo` with `0 <= lo < 1e9`, each of
 * which is exact; counts come and go as decimal strings. No key but the epoch's is told to Redis beforehand: all keys begin with one
 * prefix, which carries a hash tag, and Redis Cluster isn't needed.
 */

const numbers = `
local BILLION = 1000000000
local function parse(text)
  local negative = string.byte(text) == 45
  if negative then text = string.sub(text, 2) end
  local length, hi, lo = #text, 0, nil
  if length <= 9 then lo = tonumber(text)
  else
    hi = tonumber(string.sub(text, 1, length - 9))
    lo = tonumber(string.sub(text, length - 8))
  end
  if negative then
    if lo == 0 then return -hi, 0 end
    return -hi - 1, BILLION - lo
  end
  return hi, lo
end
local function plain(hi, lo)
  if hi == 0 then return string.format('%.0f', lo) end
  return string.format('%.0f%09.0f', hi, lo)
end
local function format(hi, lo)
  if hi >= 0 then return plain(hi, lo) end
  if lo == 0 then return '-' .. plain(-hi, 0) end
  return '-' .. plain(-hi - 1, BILLION - lo)
end
-- Thousandths of a count, rounded up.
local function part(hi, lo, perMille)
  local high = hi * perMille
  local left = high % 1000
  local low = left * BILLION + lo * perMille
  local fraction = low % 1000
  local whole = (low - fraction) / 1000
  if fraction > 0 then whole = whole + 1 end
  return (high - left) / 1000, whole
end
local function carried(hi, lo)
  local low = lo % BILLION
  return hi + (lo - low) / BILLION, low
end
`

/**
 * Reserves and settles. KEYS: the epoch. ARGV: the epoch that it must have, the prefix of its keys, the holder, and a JSON list of
 * operations, each a flat list:
 * - `h, id, entry, (counter, amount, limit or '', counter of the window before or '', thousandths)…` reserves,
 * - `s, id, (counter, difference, 1 when transient)…` settles,
 * - `e, id, (counter, difference)…` expires: what is transient is given back, and the reservation waits for a late settlement; a holder
 *   that has none left is no holder any more.
 *
 * Answers nothing when the epoch is another. Else a list with, for each reservation, `g` (granted), `m` (a counter isn't in Redis) or
 * `d` (the id is held already), or the index of the line that refuses; after `g` and an index come the counts used of each line.
 */
export const countScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
${numbers}
local base, holder = ARGV[2], ARGV[3]
local open, expired = base .. 'h:' .. holder, base .. 'x:' .. holder
-- Everything is decided before anything is written, so that a fault in between has changed nothing.
local counts, dirty, answers, added, taken, moved = {}, {}, {}, {}, {}, {}
local expires = false
local function count(name)
  local known = counts[name]
  if known == nil then
    local text = redis.call('GET', base .. 'c:' .. name)
    if text then
      known = {parse(text)}
    else
      known = false
    end
    counts[name] = known
  end
  return known
end
local function add(known, amount, sign)
  local hi, lo = parse(amount)
  known[1], known[2] = carried(known[1] + sign * hi, known[2] + sign * lo)
end
local function hold(op)
  for at = 4, #op, 5 do
    if not count(op[at]) or (op[at + 3] ~= '' and not count(op[at + 3])) then
      answers[#answers + 1] = 'm'
      return
    end
  end
  if added[op[2]] or redis.call('HEXISTS', open, op[2]) == 1 then
    answers[#answers + 1] = 'd'
    return
  end
  local refused = nil
  for at = 4, #op, 5 do
    local known, amount, limit = counts[op[at]], op[at + 1], op[at + 2]
    if limit ~= '' and amount ~= '0' then
      local hi, lo = parse(amount)
      hi, lo = hi + known[1], lo + known[2]
      if op[at + 3] ~= '' then
        local before = counts[op[at + 3]]
        local partHi, partLo = part(before[1], before[2], op[at + 4])
        hi, lo = hi + partHi, lo + partLo
      end
      hi, lo = carried(hi, lo)
      local limitHi, limitLo = parse(limit)
      if hi > limitHi or (hi == limitHi and lo > limitLo) then
        refused = at
        break
      end
    end
    add(known, amount, 1)
  end
  if refused then
    for at = 4, refused - 5, 5 do add(counts[op[at]], op[at + 1], -1) end
    answers[#answers + 1] = (refused - 4) / 5
  else
    for at = 4, #op, 5 do dirty[op[at]] = true end
    added[op[2]] = op[3]
    answers[#answers + 1] = 'g'
  end
  for at = 4, #op, 5 do
    local known = counts[op[at]]
    answers[#answers + 1] = format(known[1], known[2])
  end
end
local function move(name, difference)
  local known = count(name)
  -- A counter that isn't here is filled from the database, which has this already.
  if known then
    add(known, difference, 1)
    dirty[name] = true
  end
end
local function settle(op)
  local id = op[2]
  if taken[id] then return end
  if redis.call('HEXISTS', open, id) == 1 then
    taken[id] = open
    for at = 3, #op, 3 do move(op[at], op[at + 1]) end
  elseif redis.call('HEXISTS', expired, id) == 1 then
    taken[id] = expired
    for at = 3, #op, 3 do
      if op[at + 2] ~= 1 then move(op[at], op[at + 1]) end
    end
  end
end
local function expire(op)
  expires = true
  local id = op[2]
  local entry = not taken[id] and redis.call('HGET', open, id)
  if not entry then return end
  taken[id] = open
  moved[id] = entry
  for at = 3, #op, 2 do move(op[at], op[at + 1]) end
end
for _, op in ipairs(cjson.decode(ARGV[4])) do
  if op[1] == 'h' then hold(op) elseif op[1] == 's' then settle(op) else expire(op) end
end
for name in pairs(dirty) do
  redis.call('SET', base .. 'c:' .. name, format(counts[name][1], counts[name][2]), 'KEEPTTL')
end
for id, key in pairs(taken) do redis.call('HDEL', key, id) end
for id, entry in pairs(added) do redis.call('HSET', open, id, entry) end
if next(added) then redis.call('SADD', base .. 'holders', holder) end
for id, entry in pairs(moved) do
  redis.call('HSET', expired, id, entry)
  redis.call('EXPIRE', expired, 86400)
end
if expires and redis.call('EXISTS', open) == 0 then redis.call('SREM', base .. 'holders', holder) end
return answers
`

/**
 * Puts counters into Redis that aren't there. KEYS: the epoch. ARGV: the epoch that it must have, the prefix of its keys, and a JSON
 * list of `[counter, count, seconds to keep or '']`. Answers 0 when the epoch is another.
 */
export const fillScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for _, one in ipairs(cjson.decode(ARGV[3])) do
  local key = ARGV[2] .. 'c:' .. one[1]
  if one[3] == '' then redis.call('SET', key, one[2], 'NX') else redis.call('SET', key, one[2], 'NX', 'EX', one[3]) end
end
return 1
`

/** Reads counters, missing ones as nothing. KEYS: the epoch. ARGV: the epoch that it must have, the prefix, a JSON list of counters. Answers 0 when the epoch is another. */
export const readScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local counts = {}
for index, name in ipairs(cjson.decode(ARGV[3])) do counts[index] = redis.call('GET', ARGV[2] .. 'c:' .. name) end
return counts
`

/** Changes the epoch if it still is what it was taken for ('' for none). KEYS: the epoch. ARGV: old, new. Answers 1 when it did. */
export const swapScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`

/** Removes keys. KEYS: the epoch. ARGV: the epoch that it must have, a JSON list of keys. Answers 0 when the epoch is another. */
export const removeScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for _, key in ipairs(cjson.decode(ARGV[2])) do redis.call('UNLINK', key) end
return 1
`
