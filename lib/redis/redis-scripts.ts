/**
 * The scripts by which the registry is read and changed. Redis runs one at a time and to its end, so slugs, domains and
 * versions never change by half. Each is given all keys that it touches, which one hash tag keeps in one slot of a cluster.
 *
 * A tenant is one field of a hash: a flat JSON object of texts and nulls, with its metadata as text, because Lua's numbers and
 * empty tables would not come back from it as they went in.
 */

/** The keys of the registry, in the order in which the scripts are given them. The key of one tenant's audit comes last. */
export const REGISTRY_KEYS = ['registry', 'tenants', 'slugs', 'domains', 'schemas', 'order'] as const;

/** How the data are laid out. A store refuses a layout that it does not know. */
export const LAYOUT = '1';

/**
 * Begins every script that reads or changes tenants. `registry` says how many there must be in the other keys: what Redis has
 * evicted, or lost in any other way, is found out before it is taken for "no such tenant".
 */
const HEAD = `
local registry, tenants, slugs, domains, schemas, order, audits = unpack(KEYS)
local own, count, named = unpack(redis.call('HMGET', registry, 'id', 'tenants', 'domains'))
if own ~= ARGV[1] then return {'lost', 'its mark'} end
local function lacks(command, key, wanted)
  return redis.call(command, key) ~= tonumber(wanted)
end
if lacks('HLEN', tenants, count) then return {'lost', 'tenants'} end
if lacks('HLEN', slugs, count) then return {'lost', 'slugs'} end
if lacks('HLEN', schemas, count) then return {'lost', 'schemas'} end
if lacks('HLEN', domains, named) then return {'lost', 'domains'} end
if lacks('ZCARD', order, count * 3) then return {'lost', 'order'} end
`;

/**
 * For those that change something. Redis undoes nothing when a script fails: whatever can fail comes before the first call that
 * writes, and that is one which Redis refuses when its memory is full.
 */
const WRITING = `
${HEAD}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local function tell(id)
  redis.call('PUBLISH', registry .. ':' .. own, redis.call('HINCRBY', registry, 'changes', 1) .. ' changed ' .. id)
end
local function record(audit)
  if audit == '' then return end
  local number = redis.call('HINCRBY', registry, 'audits', 1)
  redis.call('ZADD', audits, number, string.format('%.0f', number) .. ' ' .. now .. ' ' .. audit)
end
local function places(t)
  return {'* ' .. t.id, t.status .. ' ' .. t.id, '@' .. string.match(t.place, '^%S+') .. ' ' .. t.id}
end
`;

/** The registry's id and layout. `registry` is the only key. */
export const OPEN = `return redis.call('HMGET', KEYS[1], 'id', 'layout')`;

/** Makes an empty registry, unless there is one, or parts of one. Arguments: its id, the layout. */
export const CREATE = `
if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists'} end
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return {'lost', 'its mark'} end
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'layout', ARGV[2], 'tenants', 0, 'domains', 0, 'changes', 0, 'audits', 0)
return {'made'}`;

/** Arguments: the registry's id; then pairs of what a claim is by, and its value. */
export const FIND = `
${HEAD}
local found = {}
for i = 2, #ARGV, 2 do
  local by, value = ARGV[i], ARGV[i + 1]
  local id = value
  if by == 'slug' then id = redis.call('HGET', slugs, value) end
  if by == 'domain' then id = redis.call('HGET', domains, value) end
  local tenant = id and redis.call('HGET', tenants, id)
  if id and by ~= 'id' and not tenant then return {'lost', 'the tenant ' .. id} end
  found[#found + 1] = tenant or false
end
return {'ok', found}`;

/** Arguments: the registry's id, `*` or a status or `@` and a server, the id that comes before or none, how many. */
export const LIST = `
${HEAD}
local prefix, after = ARGV[2] .. ' ', ARGV[3]
local from = after == '' and '[' .. prefix or '(' .. prefix .. after
local found = {}
for _, each in ipairs(redis.call('ZRANGEBYLEX', order, from, '(' .. ARGV[2] .. '!', 'LIMIT', 0, ARGV[4])) do
  local id = string.sub(each, #prefix + 1)
  local tenant = redis.call('HGET', tenants, id)
  if not tenant then return {'lost', 'the tenant ' .. id} end
  found[#found + 1] = tenant
end
return {'ok', found}`;

/** Arguments: the registry's id, the tenant, what to record or nothing. */
export const INSERT = `
${WRITING}
local t = cjson.decode(ARGV[2])
if redis.call('HEXISTS', tenants, t.id) == 1 then return {'id'} end
if redis.call('HEXISTS', slugs, t.slug) == 1 then return {'slug'} end
if redis.call('HEXISTS', schemas, t.schemaName) == 1 then return {'schema'} end
for domain in string.gmatch(t.domains, '%S+') do
  if redis.call('HEXISTS', domains, domain) == 1 then return {'domain', domain} end
end
t.version, t.createdAt, t.updatedAt = '1', now, now
local text, put = cjson.encode(t), places(t)
redis.call('HSET', tenants, t.id, text)
redis.call('HSET', slugs, t.slug, t.id)
redis.call('HSET', schemas, t.schemaName, t.id)
for domain in string.gmatch(t.domains, '%S+') do
  redis.call('HSET', domains, domain, t.id)
  redis.call('HINCRBY', registry, 'domains', 1)
end
for _, place in ipairs(put) do redis.call('ZADD', order, 0, place) end
redis.call('HINCRBY', registry, 'tenants', 1)
record(ARGV[3])
tell(t.id)
return {'ok', text}`;

/**
 * Arguments: the registry's id, the tenant's, the version that is expected or nothing, `*` or the statuses with spaces around
 * each, the fields that change, a domain to add or nothing, one to remove or nothing, what to record or nothing.
 */
export const CHANGE = `
${WRITING}
local _, id, version, statuses, given, add, remove, audit = unpack(ARGV)
local before = redis.call('HGET', tenants, id)
if not before then return {'none'} end
local t, changes = cjson.decode(before), cjson.decode(given)
if version ~= '' and t.version ~= version then return {'none'} end
if statuses ~= '*' and not string.find(statuses, ' ' .. t.status .. ' ', 1, true) then return {'none'} end
local left, isThere = {}, false
for domain in string.gmatch(t.domains, '%S+') do
  if domain == add or domain == remove then isThere = true end
  if domain ~= remove then left[#left + 1] = domain end
end
if (add ~= '' and isThere) or (remove ~= '' and not isThere) then return {'ok', before} end
if add ~= '' then
  if redis.call('HEXISTS', domains, add) == 1 then return {'domain', add} end
  left[#left + 1] = add
end
local slug, taken = t.slug, places(t)
local isRenamed = changes.slug and changes.slug ~= slug
if isRenamed and redis.call('HEXISTS', slugs, changes.slug) == 1 then return {'slug'} end
for field, value in pairs(changes) do t[field] = value end
t.domains = table.concat(left, ' ')
t.version = string.format('%.0f', t.version + 1)
if tonumber(now) > tonumber(t.updatedAt) then t.updatedAt = now end
local text, put = cjson.encode(t), places(t)
redis.call('HSET', tenants, id, text)
if add ~= '' then
  redis.call('HSET', domains, add, id)
  redis.call('HINCRBY', registry, 'domains', 1)
end
if remove ~= '' then
  redis.call('HDEL', domains, remove)
  redis.call('HINCRBY', registry, 'domains', -1)
end
if isRenamed then
  redis.call('HDEL', slugs, slug)
  redis.call('HSET', slugs, t.slug, id)
end
for _, place in ipairs(taken) do redis.call('ZREM', order, place) end
for _, place in ipairs(put) do redis.call('ZADD', order, 0, place) end
record(audit)
tell(id)
return {'ok', text}`;

/** Arguments: the registry's id, the tenant's. */
export const REMOVE = `
${WRITING}
local text = redis.call('HGET', tenants, ARGV[2])
if not text then return {'none'} end
local t = cjson.decode(text)
local taken = places(t)
redis.call('HDEL', tenants, t.id)
redis.call('HDEL', slugs, t.slug)
redis.call('HDEL', schemas, t.schemaName)
for domain in string.gmatch(t.domains, '%S+') do
  redis.call('HDEL', domains, domain)
  redis.call('HINCRBY', registry, 'domains', -1)
end
for _, place in ipairs(taken) do redis.call('ZREM', order, place) end
redis.call('HINCRBY', registry, 'tenants', -1)
redis.call('DEL', audits)
tell(t.id)
return {'ok', text}`;

/** Arguments: the registry's id, the number that comes after or nothing, how many. */
export const AUDIT = `
${HEAD}
local before = ARGV[2] == '' and '+inf' or '(' .. ARGV[2]
return {'ok', redis.call('ZREVRANGEBYSCORE', audits, before, '-inf', 'LIMIT', 0, ARGV[3])}`;

/**
 * Tells the listeners how many changes there have been. Arguments: the registry's id, the token of the one who asks.
 *
 * A replica would tell of changes only when it has them. HDEL of a field that is not there changes nothing, and a replica
 * refuses it.
 */
export const BEAT = `
${HEAD}
redis.call('HDEL', registry, 'nothing')
redis.call('PUBLISH', registry .. ':' .. own, redis.call('HGET', registry, 'changes') .. ' beat ' .. ARGV[2])
return {'ok'}`;
