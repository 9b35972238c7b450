-- An nginx as a door of the shield: it counts the requests of each subdomain and holds
-- those that the agent of this machine names. moonwatch.conf says where this goes.
--
-- What is counted and held stands in shared memory, so that all workers do the same and a
-- reload forgets nothing. A worker counts in a table of its own and adds it up twenty times
-- a second; a request looks once into shared memory, and waits for nobody. What the agent
-- says (shield/orders has the words) is obeyed until its lease ends, so an agent that died
-- holds nobody; and whatever goes wrong here lets everybody in.

local M = {}

local hosts = ngx.shared.moonwatch_hosts -- name -> requests: who is counted alone
local held = ngx.shared.moonwatch_held   -- name -> "RUNG ADMIT CAP BURST LIMIT"
local spent = ngx.shared.moonwatch_spent -- of the caps, second by second; who was refused how often
local state = ngx.shared.moonwatch_state -- totals, the lease, the name of the set, what is heavy

local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local find, match, gmatch, sub, byte, format = string.find, string.match, string.gmatch, string.sub, string.byte, string.format
local now, worker_id = ngx.now, ngx.worker.id

local FORMAT = "moonwatch-door 1"
local TICK = 0.05      -- seconds between two summings-up
local TURN = 10        -- seconds for which the same clients are let in, as at all doors
local SHARE = 256      -- who is asked for 1/256 of all is told of
local MOST_TOLD = 256  -- by each worker
local MOST_ORDER = 2 * 1024 * 1024
local RENEWALS = 10    -- requests a second that are let in to who is stopped, for its certificate

-- The key that the agent has to say; false: none was found, and nobody is obeyed.
local key = false

-- begin runs in the master, before the workers are there and while it may read every file.
function M.begin(path)
  state:safe_add("life", format("%.3f-%d", now(), ngx.worker.pid()))
  local file, why = io.open(path)
  local line = file and file:read("*l")
  if file then file:close() end
  line = line and match(line, "^%s*(%S+)%s*$")
  if line and #line >= 16 then
    key = line
  else
    ngx.log(ngx.ERR, "moonwatch: nobody is held, for there is no key in ", path, ": ", why or "want a line of 16 letters and digits at least")
  end
end

-- Of this worker.
local known = {}  -- name -> true: it is in hosts
local counts, refusals = {}, {} -- since the last summing-up
local asked, refused, served, busy = 0, 0, 0, 0
local strangers = 0 -- requests under way for names that are not known; ngx.ctx has the name
local heavy, round = {}, 0 -- name -> {n, round}: about how many in the last second, and when

-- name_of is the one form of a Host under which it is counted; "-" for what is no name. nginx
-- has made it lower case, and taken port and trailing dot away.
local function name_of(host)
  if host and #host <= 253 and find(host, "^[a-z0-9_-][a-z0-9._-]*$") and not find(host, "..", 1, true) and byte(host, -1) ~= 46 then
    return host
  end
  return "-"
end

-- bucket_of is what all unknown names beside a name are counted under: *.example.com.
local function bucket_of(name)
  local dot = find(name, ".", 1, true)
  if dot and not find(name, "^%d+%.%d+%.%d+%.%d+$") then
    return "*" .. sub(name, dot)
  end
end

local function is_known(name)
  if known[name] then return true end
  if hosts:get(name) then
    known[name] = true
    return true
  end
end

-- place says under which name a host is counted, and its own one if it is not known.
local function place(host)
  if known[host] then return host end
  local name = name_of(host)
  if name == "-" then return name end
  if is_known(name) then return name end
  local bucket = bucket_of(name)
  if bucket and is_known(bucket) then return bucket, name end
  return "-", name
end

-- enrol gives a name a place of its own, if there is room: nobody has to go for it.
local function enrol(name)
  local ok, why = hosts:safe_add(name, 0)
  if ok then
    state:incr("known", 1, 0)
  elseif why == "no memory" then
    state:safe_set("full", 1)
  end
  if ok or why == "exists" then known[name] = true end
end

-- who names the client: its address, an IPv6 one by its /64.
local function who()
  local address = ngx.var.binary_remote_addr
  if #address ~= 16 then return address end
  if sub(address, 1, 12) == "\0\0\0\0\0\0\0\0\0\0\255\255" then return sub(address, 13) end
  return sub(address, 1, 8)
end

-- draws says whether the client is in the admitted fraction, in permille.
local function draws(name, seed, admit)
  local a, b, c, d = byte(ngx.md5_bin(seed .. floor(now() / TURN) .. " " .. name .. " " .. who()), 1, 4)
  return (((a * 256 + b) * 256 + c) * 256 + d) / 4294967296 * 1000 < admit
end

-- under_cap takes one of what may be let in now: of this second, and what is still within one
-- second of the last. It counts who is let in; one that counted who asks would shut a flooded
-- host for good.
local function under_cap(name, cap)
  local t = now()
  local second = floor(t)
  local entry = "cap " .. name .. " "
  local last = spent:get(entry .. (second - 1)) or 0
  local n = spent:incr(entry .. second, 1, 0, 3)
  if n and n + last * (1 - (t - second)) > cap then
    spent:incr(entry .. second, -1)
    return false
  end
  return true
end

-- renews says whether a certificate authority may ask here whether who wants a certificate has
-- the subdomain (RFC 8555, 8.3): GET of a token and of nothing else, as it was sent.
local function renews()
  local method = ngx.req.get_method()
  return (method == "GET" or method == "HEAD") and find(ngx.var.request_uri, "^/%.well%-known/acme%-challenge/[A-Za-z0-9_-]+$")
end

local pages = {
  [429] = {
    en = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Very busy</title><h1>This site is very busy</h1><p>It gets more requests than it can serve at the moment, so not everybody can be let in. Please wait a little and try again.</p></html>\n',
    ja = '<!doctype html><html lang="ja"><meta charset="utf-8"><title>アクセスが集中しています</title><h1>アクセスが集中しています</h1><p>ただいま、このサイトにはアクセスが集中しており、一部のアクセスをお受けできません。しばらくしてから、もう一度お試しください。</p></html>\n',
    problem = '{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"this site gets more requests than it can serve at the moment","status":429,"violated-policies":["subdomain"]}\n',
  },
  [503] = {
    en = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Paused</title><h1>This site is paused</h1><p>It gets far more requests than it can serve. Please wait a little and try again.</p></html>\n',
    ja = '<!doctype html><html lang="ja"><meta charset="utf-8"><title>一時停止中です</title><h1>一時停止中です</h1><p>アクセスが集中しているため、このサイトを一時的に停止しています。しばらくしてから、もう一度お試しください。</p></html>\n',
    problem = '{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","title":"this site is paused at the moment","status":503,"violated-policies":["subdomain"]}\n',
  },
}

-- refuse answers a browser with a page, and a program with a problem (RFC 9457). After how many
-- seconds to come again differs from client to client.
local function refuse(name, status, limit)
  refusals[name] = (refusals[name] or 0) + 1
  refused = refused + 1
  ngx.ctx.moonwatch_refused = true
  local h, page = ngx.header, pages[status]
  local again = 5 + math.random(10)
  ngx.status = status
  h["Retry-After"] = again
  h["Cache-Control"] = "no-store"
  h["X-Content-Type-Options"] = "nosniff"
  h["Vary"] = "Accept, Accept-Language"
  if status == 429 and limit >= 1 then
    h["RateLimit-Policy"] = format('"subdomain";q=%d;w=1;qu="requests"', limit)
    h["RateLimit"] = format('"subdomain";r=0;t=%d', again)
  end
  local accept, language = ngx.var.http_accept, ngx.var.http_accept_language
  local text = page.problem
  if not accept or not find(accept, "text/html", 1, true) then
    h["Content-Type"] = "application/problem+json"
  else
    local tongue = language and find(language, "^[jJ][aA]") and "ja" or "en"
    h["Content-Type"] = "text/html; charset=utf-8"
    h["Content-Language"] = tongue
    text = page[tongue]
  end
  h["Content-Length"] = #text
  ngx.print(text)
  return ngx.exit(ngx.HTTP_OK)
end

-- admit counts a request, and refuses it if its subdomain is held and the client is not in.
function M.admit()
  if ngx.req.is_internal() then return end -- it was counted when it came
  local name, new = place(ngx.var.host)
  counts[name] = (counts[name] or 0) + 1
  asked = asked + 1
  if new then -- nothing is written down about a request of somebody known: that costs as much as all the rest
    strangers = strangers + 1
    ngx.ctx.moonwatch_new = new
  end
  local what = held:get(name)
  if not what then return end
  local seed = state:get("lease")
  if not seed then return end -- nobody decides any more
  local rung, admit, cap, limit = match(what, "^(%S+) (%S+) (%S+) %S+ (%S+)$")
  if rung == "stop" or rung == "drop" then
    if renews() and under_cap(name, RENEWALS) then return end
    return refuse(name, 503, 0)
  end
  admit, cap, limit = tonumber(admit), tonumber(cap), tonumber(limit)
  if not admit or not cap or not limit then return end
  if admit < 1000 and not draws(name, seed, admit) then return refuse(name, 429, limit) end
  if cap > 0 and not under_cap(name, ceil(cap)) then return refuse(name, 429, limit) end
end

-- sum_up adds what this worker has counted to what all have.
local function sum_up()
  round = round + 1
  local all = 0
  for _, n in pairs(counts) do all = all + n end
  local least = max(1, all / SHARE)
  for name, n in pairs(counts) do
    hosts:incr(name, n, 0)
    if n >= least then
      local h = heavy[name]
      if h then
        h.n, h.round = h.n * 0.95 ^ (round - h.round) + n, round
      else
        heavy[name] = {n = n, round = round, name = name}
      end
    end
    counts[name] = nil
  end
  for name, n in pairs(refusals) do
    spent:incr("refused " .. name, n, 0)
    refusals[name] = nil
  end
  if asked > 0 then state:incr("asked", asked, 0) end
  if refused > 0 then state:incr("refused", refused, 0) end
  if served > 0 then state:incr("served", served, 0) end
  if busy > 0 then state:incr("busy", busy, 0) end
  asked, refused, served, busy = 0, 0, 0, 0
end

-- tell_heavy writes down who is asked for much at this worker.
local function tell_heavy()
  local list = {}
  for name, h in pairs(heavy) do
    if h.round > round - 10 then
      list[#list + 1] = h
    elseif h.round < round - 40 then
      heavy[name] = nil
    end
  end
  if #list > MOST_TOLD then
    table.sort(list, function(a, b) return a.n > b.n end)
  end
  local lines = {}
  for i = 1, min(#list, MOST_TOLD) do
    lines[i] = format("%s %d", list[i].name, list[i].n)
  end
  state:set("heavy " .. worker_id(), table.concat(lines, "\n"), 1)
end

local function tick()
  sum_up()
  tell_heavy()
end

-- work begins in each worker.
function M.work()
  math.randomseed(ngx.worker.pid() + now() * 1000)
  if not worker_id() then return end -- a helper process, which has no requests
  local ok, why = ngx.timer.every(TICK, tick)
  if not ok then
    ngx.log(ngx.ERR, "moonwatch: nothing is counted: ", why)
  end
end

-- answered books an answer, and gets to know the host of a good one.
function M.answered()
  local status = ngx.status
  if (status == 429 or status == 503) and ngx.ctx.moonwatch_refused then
    if ngx.ctx.moonwatch_new then strangers = strangers - 1 end
    return
  end
  if status == 503 then busy = busy + 1 end
  if status < 500 then served = served + 1 end
  if strangers > 0 then
    local new = ngx.ctx.moonwatch_new -- lost where nginx has sent the request on inside of itself: then it is learned another time
    if new then
      strangers = strangers - 1
      if status < 400 and (state:incr("learn", -1, 0) or -1) >= 0 then
        enrol(new)
        local bucket = bucket_of(new)
        if bucket then enrol(bucket) end
      end
    end
  end
  if ngx.worker.exiting() then sum_up() end -- its timer has ended
end

-- read reads an order. It gives nothing for what is none, or cut short.
local function read(text)
  if sub(text, 1, #FORMAT + 1) ~= FORMAT .. "\n" or sub(text, -5) ~= "\nend\n" then return end
  local o = {want = {}, hold = {}}
  for line in gmatch(text, "[^\n]+") do
    local word, rest = match(line, "^(%S+) (.*)$")
    if word == "lease" or word == "learn" then
      o[word] = tonumber(rest)
      if not o[word] then return end
    elseif word == "seed" or word == "set" then
      o[word] = rest
    elseif word == "want" then
      o.want[#o.want + 1] = rest
    elseif word == "hold" then
      local name, what = match(rest, "^(%S+) (%S+ %S+ %S+ %S+ %S+)$")
      if not name then return end
      o.hold[name] = what
    end
  end
  if o.lease and o.learn and o.seed then return o end
end

-- take replaces what is held. It says false if there is no room for all of it.
local function take(hold)
  for _, name in ipairs(held:get_keys(0)) do
    if not hold[name] then held:delete(name) end
  end
  for name, what in pairs(hold) do
    if not held:safe_set(name, what) then return false end
    if name ~= "-" then enrol(name) end -- who is named is known, also after a restart
  end
  return true
end

-- tell answers with what was counted.
local function tell(o)
  local lines = {
    FORMAT, "program nginx/" .. ngx.config.nginx_version .. " lua/" .. ngx.config.ngx_lua_version,
    "life " .. state:get("life"),
  }
  local set = state:get("set")
  if set then lines[#lines + 1] = "has " .. set end
  lines[#lines + 1] = format("total %.0f %.0f %.0f %.0f", state:get("asked") or 0, state:get("refused") or 0, state:get("served") or 0, state:get("busy") or 0)
  lines[#lines + 1] = format("known %d %s", state:get("known") or 0, state:get("full") and "full" or "room")
  local lately = {}
  for id = 0, ngx.worker.count() - 1 do
    for name, n in gmatch(state:get("heavy " .. id) or "", "(%S+) (%d+)") do
      lately[name] = (lately[name] or 0) + tonumber(n)
    end
  end
  for _, name in ipairs(o.want) do lately[name] = lately[name] or 0 end
  for name, n in pairs(lately) do
    local total = hosts:get(name)
    if total then
      lines[#lines + 1] = format("host %s %.0f %.0f %d", name, total, spent:get("refused " .. name) or 0, n)
    end
  end
  lines[#lines + 1] = "end\n"
  ngx.header["Content-Type"] = "text/plain; charset=utf-8"
  ngx.print(table.concat(lines, "\n"))
end

local function deny(status, text)
  ngx.status = status
  ngx.say(text)
  return ngx.exit(ngx.HTTP_OK)
end

-- obey takes an order of the agent and answers it.
function M.obey()
  if ngx.req.get_method() ~= "POST" then return deny(405, "want a POST with an order of a moonwatch agent") end
  local said = ngx.var.http_authorization or ""
  if not key or ngx.md5_bin(said) ~= ngx.md5_bin("Bearer " .. key) then -- as digests, so that the time tells nothing
    return deny(403, key and "want the key of this nginx" or "this nginx found no key when it began")
  end
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if not text then return deny(413, "want an order that fits into client_body_buffer_size") end
  local o = #text <= MOST_ORDER and read(text)
  if not o then return deny(400, "this is no order, or is cut short") end
  state:set("lease", o.seed, o.lease / 1000)
  state:set("learn", o.learn)
  if o.set and o.set ~= state:get("set") then
    state:delete("set")
    if take(o.hold) then state:set("set", o.set) end
  end
  sum_up()
  tell(o)
end

return M
