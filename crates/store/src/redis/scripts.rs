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

/// `ARGV`: group, then place and id of entries that were taken. What somebody else has written into the stream is not
/// in the index: it is added. What is there a second time is removed. Answers the places that were removed.
pub(super) static ADOPT: Lazy = script!(
    r"
local removed = {}
for i = 2, #ARGV, 2 do
  local place, id = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', KEYS[2], id)
  if not known then
    redis.call('HSET', KEYS[2], id, place)
  elseif known ~= place then
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
pub(super) static ALL: [&Lazy; 6] = [&PUSH, &ACK, &BURY, &DROP_DEAD, &ADOPT, &SET_ASIDE];
