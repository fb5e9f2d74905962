package redisstore

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is how Redis names scripts
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
)

// script is one atomic step on one key.
type script struct{ text, sum string }

func newScript(text string) *script {
	text = strings.NewReplacer("{never}", fmt.Sprint(never), "{format}", headFormat, "{history}", fmt.Sprint(authserver.HistoryLength),
		"{keep}", fmt.Sprint(keep.Milliseconds())).Replace(text)
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	return &script{text, hex.EncodeToString(sum[:])}
}

// headFormat reads and writes the head of a row; see row.go. It has to begin with a literal format, as pack has no default.
var headFormat = fmt.Sprintf(">BI4I4i8i8i8i8B%sBc%d", strings.Repeat("i8", authserver.HistoryLength), reasonWidth)

// once keeps the client from sending a command again of which it does not know whether it was carried out: the second would find what
// the first has done and take it for another's.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

func (c once) Clone() redis.Cmder { return once{c.Cmd.Clone().(*redis.Cmd)} }

// run calls the script, by its name if the server knows it.
func (s *Store) run(ctx context.Context, sc *script, key string, args ...any) *redis.Cmd {
	cmd := s.command(ctx, "evalsha", sc.sum, key, args)
	_ = s.client.Process(ctx, once{cmd})
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") { // nothing has been done
		cmd = s.command(ctx, "eval", sc.text, key, args)
		_ = s.client.Process(ctx, once{cmd})
	}
	return cmd
}

// call is a script with its key and arguments.
type call struct {
	script *script
	key    string
	args   []any
}

// runAll sends many scripts at once; each has its own outcome.
func (s *Store) runAll(ctx context.Context, calls []call) []*redis.Cmd {
	pipe := s.client.Pipeline()
	commands := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		commands[i] = s.command(ctx, "evalsha", c.script.sum, c.key, c.args)
		_ = pipe.Process(ctx, once{commands[i]})
	}
	_, _ = pipe.Exec(ctx)
	for i, c := range calls {
		if redis.HasErrorPrefix(commands[i].Err(), "NOSCRIPT") {
			commands[i] = s.run(ctx, c.script, c.key, c.args...)
		}
	}
	return commands
}

func (s *Store) command(ctx context.Context, name, which, key string, args []any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, append([]any{name, which, 1, key}, args...)...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// expire has a key go when nobody has swept it: an hour after its end, but not before an hour from now by Redis' own clock, so that
// a clock that is behind takes nothing away that the caller has just written.
const expire = `
local function expire(key, due)
	local t = redis.call('TIME')
	local now = t[1] * 1000 + math.floor(t[2] / 1000)
	redis.call('PEXPIREAT', key, string.format('%.0f', math.max(due, now) + 3600000))
end
`

// head reads the row of KEYS[1]: r is its fields from format to reason. due is authserver.Grant.DisposableAt.
const head = expire + `
local GEN, REPLAYS, IDLE, ENDS, ACCESS, REVOKED, COUNT = 2, 3, 4, 5, 6, 7, 8
local REASONS = COUNT + {history} + 1
local row = redis.call('GET', KEYS[1])
if not row then return -1 end
local r = {struct.unpack('{format}', row)}
local function due()
	local at = math.min(r[ENDS], r[IDLE])
	if r[REVOKED] ~= {never} then at = math.min(at, r[REVOKED]) end
	return math.max(at, r[ACCESS])
end
local function save()
	redis.call('SETRANGE', KEYS[1], 0, struct.pack('{format}', unpack(r, 1, REASONS + 1)))
	expire(KEYS[1], due())
end
`

var (
	// create: row, end. 0: the id is taken.
	createScript = newScript(expire + `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
expire(KEYS[1], tonumber(ARGV[2]))
return 1`)

	// advance: from, to, now, idle end, access token's end, replay. -1: there is none. 0: conflict. 2: the access token will outlive the
	// grant's entries in the indexes.
	advanceScript = newScript(head + `
local from, to, now, idle, access = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if r[GEN] ~= from or r[REVOKED] ~= {never} or now >= r[ENDS] or now >= r[IDLE] then return 0 end
if to ~= from then
	if to ~= from + 1 then r[COUNT] = 0 end
	if r[COUNT] == {history} then
		for i = COUNT + 1, COUNT + {history} - 1 do r[i] = r[i + 1] end
	else
		r[COUNT] = r[COUNT] + 1
	end
	r[COUNT + r[COUNT]] = now
	r[GEN], r[REPLAYS] = to, 0
end
if ARGV[6] == '1' then r[REPLAYS] = r[REPLAYS] + 1 end
if idle ~= {never} then r[IDLE] = idle end
local outlives = access > math.max(r[ACCESS], r[ENDS] + {keep})
r[ACCESS] = math.max(r[ACCESS], access)
save()
return outlives and 2 or 1`)

	// revoke: now, reason, its length. -1: there is none. -2: it is revoked already. Otherwise when the row can go.
	revokeScript = newScript(head + `
if r[REVOKED] ~= {never} then return -2 end
r[REVOKED] = tonumber(ARGV[1])
r[REASONS], r[REASONS + 1] = tonumber(ARGV[3]), ARGV[2]
save()
return string.format('%.0f', due())`)

	// dispose: now. -1: there is none. -2: it was deleted. Otherwise when the row can go.
	disposeScript = newScript(head + `
local at = due()
if at > tonumber(ARGV[1]) then return string.format('%.0f', at) end
redis.call('DEL', KEYS[1])
return -2`)

	// enter an id in an index: id, score, when the index as a whole can go, how many entries that are over may go now, and when they are.
	enterScript = newScript(expire + `
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
local t = redis.call('TIME')
local left, due = redis.call('PTTL', KEYS[1]), tonumber(ARGV[3])
if left < 0 or t[1] * 1000 + left < due + 3600000 then expire(KEYS[1], due) end
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[5], 'LIMIT', 0, ARGV[4])
if #over > 0 then redis.call('ZREM', KEYS[1], unpack(over)) end
return 1`)

	// enter in the list of revocations: when it as a whole can go, then entries. All have the score 0, so that they are sorted by
	// their bytes.
	enterRevokedScript = newScript(expire + `
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 0, ARGV[i]) end
local t = redis.call('TIME')
local left, due = redis.call('PTTL', KEYS[1]), tonumber(ARGV[1])
if left < 0 or t[1] * 1000 + left < due + 3600000 then expire(KEYS[1], due) end
return 1`)

	// note that there is a client: its id.
	noteScript = newScript(`return redis.call('SADD', KEYS[1], ARGV[1])`)

	// remember: key, now, until. 0: it is remembered already.
	rememberScript = newScript(expire + `
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if known and tonumber(ARGV[2]) < tonumber(known) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
local t = redis.call('TIME')
local left, due = redis.call('PTTL', KEYS[1]), tonumber(ARGV[3])
if left < 0 or t[1] * 1000 + left < due + 3600000 then expire(KEYS[1], due) end
return 1`)

	// forget what was remembered until now: now, limit.
	forgetScript = newScript(`
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #over > 0 then redis.call('ZREM', KEYS[1], unpack(over)) end
return #over`)

	// save the signing keys: the version that has to be there, the new one, the sealed state.
	keysScript = newScript(`
if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'sealed', ARGV[3])
return 1`)
)
