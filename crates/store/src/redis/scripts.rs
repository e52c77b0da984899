//! What changes several keys and must be done whole: Lua, run by the server at one moment. Redis writes the effects of a
//! script to its log as one transaction, so a crash leaves all or nothing of it.
//!
//! `KEYS` are always the four of [`super::queue::KEYS`]: the stream, the index of its entries by transaction id, the
//! stream of dead letters, and their index.

use std::sync::LazyLock;

use ::redis::Script;

/// A script, known to the server by its hash.
pub(super) type Lazy = LazyLock<Script>;

/// Lua's stack holds some thousand values; what is unpacked onto it goes in slices.
macro_rules! script {
    ($body:expr) => {
        LazyLock::new(|| {
            Script::new(concat!(
                r"
local function sliced(list, width, call)
  for first = 1, #list, width do
    call(unpack(list, first, math.min(first + width - 1, #list)))
  end
end
local function places(key, from, to)
  local all = {}
  for first = from, to, 2000 do
    local found = redis.call('HMGET', key, unpack(ARGV, first, math.min(first + 1999, to)))
    for i = 1, #found do all[#all + 1] = found[i] end
  end
  return all
end
",
                $body
            ))
        })
    };
}

/// What comes after plain `XADD`s in the same `MULTI`: `ARGV` is the milliseconds that all of them were given, who queues, and
/// their ids, each once. Looks whether they were added, which is so of all or of none, gives what was known before its old
/// place back, and writes the index. Answers `1`, the first of the places, which follow each other, and number and place of
/// each that was known; or `0` and the place that none may be before.
///
/// A field of an entry passes through Lua only where somebody listens to it.
pub(super) static INDEX: Lazy = script!(
    r"
local function named(place, id)
  local entry = redis.call('XRANGE', KEYS[1], place, place)[1]
  return entry and entry[2][1] == 'id' and entry[2][2] == id
end
local n = #ARGV - 2
-- The last place that was given, not the newest entry: where others came later and have gone again, these were refused.
local stream, last = redis.pcall('XINFO', 'STREAM', KEYS[1]), '0-0'
for i = 1, #stream, 2 do
  if stream[i] == 'last-generated-id' then last = stream[i + 1] end
end
local ms, seq = string.match(last, '^(%d+)-(%d+)$')
local first = tonumber(seq) - n + 1
local function place(i) return string.format('%s-%d', ms, first + i - 1) end
if ms ~= ARGV[1] or first < 0 or not named(place(n), ARGV[#ARGV]) or not named(place(1), ARGV[3]) then
  return {'0', last}
end
local known = places(KEYS[2], 3, #ARGV)
local dead = redis.call('HLEN', KEYS[4]) > 0
local listeners = redis.call('PUBSUB', 'NUMSUB', 'tx:new')[2] > 0
local answer, fresh, twice = {'1', place(1)}, {}, {}
for i = 1, n do
  local id, here = ARGV[i + 2], place(i)
  if known[i] then
    answer[#answer + 1] = i - 1
    answer[#answer + 1] = known[i]
    if known[i] ~= here then twice[#twice + 1] = here end
  else
    fresh[#fresh + 1] = id
    fresh[#fresh + 1] = here
    local old = dead and redis.call('HGET', KEYS[4], id)
    if old then
      redis.call('XDEL', KEYS[3], old)
      redis.call('HDEL', KEYS[4], id)
    end
    if listeners then
      local entry, fields = redis.call('XRANGE', KEYS[1], here, here)[1][2], {}
      for j = 1, #entry, 2 do fields[entry[j]] = entry[j + 1] end
      redis.call('PUBLISH', 'tx:new', cjson.encode(fields))
    end
  end
end
sliced(twice, 2000, function(...) redis.call('XDEL', KEYS[1], ...) end)
sliced(fresh, 2000, function(...) redis.call('HSET', KEYS[2], ...) end)
if #fresh > 0 then redis.call('PUBLISH', 'tx:wake', ARGV[2]) end
return answer
"
);

/// The same where plain `XADD`s cannot do it: all of it in Lua, the server choosing the places.
///
/// `ARGV`: count, that many ids, then for each the number of its arguments and these, and last who queues. Answers for each `q` (queued) or
/// `k` (known) and its place. What lay among the dead letters is taken from there.
pub(super) static PUSH: Lazy = script!(
    r"
local n = tonumber(ARGV[1])
local known = places(KEYS[2], 2, n + 1)
local dead = redis.call('HLEN', KEYS[4]) > 0
local listeners = redis.call('PUBSUB', 'NUMSUB', 'tx:new')[2] > 0
local answer, seen, fresh = {}, {}, {}
local at = n + 2
for i = 1, n do
  local id, width = ARGV[i + 1], tonumber(ARGV[at])
  local place = known[i] or seen[id]
  if place then
    answer[i] = 'k' .. place
  else
    place = redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + width))
    answer[i] = 'q' .. place
    seen[id] = place
    fresh[#fresh + 1] = id
    fresh[#fresh + 1] = place
    if dead then
      local old = redis.call('HGET', KEYS[4], id)
      if old then
        redis.call('XDEL', KEYS[3], old)
        redis.call('HDEL', KEYS[4], id)
      end
    end
    if listeners then
      local fields = {}
      for j = at + 1, at + width, 2 do fields[ARGV[j]] = ARGV[j + 1] end
      redis.call('PUBLISH', 'tx:new', cjson.encode(fields))
    end
  end
  at = at + 1 + width
end
sliced(fresh, 2000, function(...) redis.call('HSET', KEYS[2], ...) end)
if #fresh > 0 then redis.call('PUBLISH', 'tx:wake', ARGV[#ARGV]) end
return answer
"
);

/// `ARGV`: group, ids.
pub(super) static ACK: Lazy = script!(
    r"
local found = places(KEYS[2], 2, #ARGV)
local entries, ids = {}, {}
for i = 1, #found do
  if found[i] then
    entries[#entries + 1] = found[i]
    ids[#ids + 1] = ARGV[i + 1]
  end
end
sliced(entries, 2000, function(...)
  redis.call('XACK', KEYS[1], ARGV[1], ...)
  redis.call('XDEL', KEYS[1], ...)
end)
sliced(ids, 2000, function(...) redis.call('HDEL', KEYS[2], ...) end)
return #ids
"
);

/// `ARGV`: group, now in ms, then id, code and reason of each.
pub(super) static BURY: Lazy = script!(
    r"
for i = 3, #ARGV, 3 do
  local id = ARGV[i]
  local place = redis.call('HGET', KEYS[2], id)
  if place then
    local entry = redis.call('XRANGE', KEYS[1], place, place)[1]
    if entry then
      local old = redis.call('HGET', KEYS[4], id)
      if old then redis.call('XDEL', KEYS[3], old) end
      local grave = redis.call('XADD', KEYS[3], '*', 'streamId', place, 'code', ARGV[i + 1],
        'reason', ARGV[i + 2], 'buriedAt', ARGV[2], unpack(entry[2]))
      redis.call('HSET', KEYS[4], id, grave)
    end
    redis.call('XACK', KEYS[1], ARGV[1], place)
    redis.call('XDEL', KEYS[1], place)
    redis.call('HDEL', KEYS[2], id)
  end
end
return 0
"
);

/// `ARGV`: id. Answers whether it was there.
pub(super) static DROP_DEAD: Lazy = script!(
    r"
local grave = redis.call('HGET', KEYS[4], ARGV[1])
if not grave then return 0 end
redis.call('XDEL', KEYS[3], grave)
redis.call('HDEL', KEYS[4], ARGV[1])
return 1
"
);

/// `ARGV`: group, then the ids of entries that were taken, then their places. What somebody else has written into the stream is not
/// in the index: it is added. What is there a second time is removed. Answers the places that were removed.
pub(super) static ADOPT: Lazy = script!(
    r"
local n = (#ARGV - 1) / 2
local known = places(KEYS[2], 2, n + 1)
local removed = {}
for i = 1, n do
  local id, place = ARGV[i + 1], ARGV[n + i + 1]
  local other = known[i]
  if not other then
    -- The same id may be there twice among these.
    if redis.call('HSETNX', KEYS[2], id, place) == 0 then other = redis.call('HGET', KEYS[2], id) end
  end
  if other and other ~= place then
    redis.call('XACK', KEYS[1], ARGV[1], place)
    redis.call('XDEL', KEYS[1], place)
    removed[#removed + 1] = place
  end
end
return removed
"
);

/// `ARGV`: group, then place and reason of entries that are no transactions. They are kept in the stream `tx:malformed`.
pub(super) static SET_ASIDE: Lazy = script!(
    r"
for i = 2, #ARGV, 2 do
  local place = ARGV[i]
  local entry = redis.call('XRANGE', KEYS[1], place, place)[1]
  if entry and #entry[2] < 4000 then
    redis.call('XADD', 'tx:malformed', '*', 'streamId', place, 'reason', ARGV[i + 1], unpack(entry[2]))
  end
  redis.call('XACK', KEYS[1], ARGV[1], place)
  redis.call('XDEL', KEYS[1], place)
end
return 0
"
);

/// All of them, to be loaded when a connection is made.
pub(super) static ALL: [&Lazy; 7] = [&INDEX, &PUSH, &ACK, &BURY, &DROP_DEAD, &ADOPT, &SET_ASIDE];
