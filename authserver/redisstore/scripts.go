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

// script is a Lua script that changes one key atomically.
type script struct{ text, sum string }

// Results of scripts.
const (
	resultMissing         = -1 // there is no such grant
	resultDone            = -2 // the grant was revoked before, or has been deleted
	resultConflict        = 0
	resultOutlivesIndexes = 2 // an access token will outlive the entries in the indexes
)

func newScript(text string) *script {
	text = strings.NewReplacer("{zero}", fmt.Sprint(zeroTime), "{format}", headFormat,
		"{history}", fmt.Sprint(authserver.HistoryLength), "{retention}", fmt.Sprint(indexRetention.Milliseconds()),
	).Replace(text)
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	return &script{text, hex.EncodeToString(sum[:])}
}

// headFormat is the head of a row for struct.pack and struct.unpack; see rows.go.
var headFormat = fmt.Sprintf(">BI4I4i8i8i8i8B%sBc%d", strings.Repeat("i8", authserver.HistoryLength), reasonWidth)

// unretried keeps the client from sending a command again whose outcome it does not know. The second one would find the
// effect of the first and report a conflict.
type unretried struct{ *redis.Cmd }

func (unretried) NoRetry() bool { return true }

func (c unretried) Clone() redis.Cmder { return unretried{c.Cmd.Clone().(*redis.Cmd)} }

// run runs a script, by its hash if the server knows it.
func (s *Store) run(ctx context.Context, sc *script, key string, args ...any) *redis.Cmd {
	cmd := s.command(ctx, "evalsha", sc.sum, key, args)
	_ = s.client.Process(ctx, unretried{cmd})
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") { // the server did nothing
		cmd = s.command(ctx, "eval", sc.text, key, args)
		_ = s.client.Process(ctx, unretried{cmd})
	}
	return cmd
}

// call is a script with its key and arguments.
type call struct {
	script *script
	key    string
	args   []any
}

// runAll sends several scripts at once. Each has its own result.
func (s *Store) runAll(ctx context.Context, calls []call) []*redis.Cmd {
	pipe := s.client.Pipeline()
	results := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		results[i] = s.command(ctx, "evalsha", c.script.sum, c.key, c.args)
		_ = pipe.Process(ctx, unretried{results[i]})
	}
	_, _ = pipe.Exec(ctx)
	for i, c := range calls {
		if redis.HasErrorPrefix(results[i].Err(), "NOSCRIPT") {
			results[i] = s.run(ctx, c.script, c.key, c.args...)
		}
	}
	return results
}

func (s *Store) command(ctx context.Context, name, which, key string, args []any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, append([]any{name, which, 1, key}, args...)...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// expireFunction defines expire(key, due): an unswept key expires an hour after due, but not within the next hour by
// Redis' own clock. So a caller whose clock is behind does not lose what it has just written.
const expireFunction = `
local function expire(key, due)
	local t = redis.call('TIME')
	local now = t[1] * 1000 + math.floor(t[2] / 1000)
	redis.call('PEXPIREAT', key, string.format('%.0f', math.max(due, now) + 3600000))
end
`

// extendFunction defines extend(key, due): expire, unless the key expires later already.
const extendFunction = expireFunction + `
local function extend(key, due)
	local t = redis.call('TIME')
	local left = redis.call('PTTL', key)
	if left < 0 or t[1] * 1000 + left < due + 3600000 then expire(key, due) end
end
`

// readRow reads the row of KEYS[1]: r holds its fields from format to reason. due() is authserver.Grant.DisposableAt.
const readRow = expireFunction + `
local GEN, REPLAYS, IDLE, ENDS, ACCESS, REVOKED, COUNT = 2, 3, 4, 5, 6, 7, 8
local REASONS = COUNT + {history} + 1
local row = redis.call('GET', KEYS[1])
if not row then return -1 end
local r = {struct.unpack('{format}', row)}
local function due()
	local at = math.min(r[ENDS], r[IDLE])
	if r[REVOKED] ~= {zero} then at = math.min(at, r[REVOKED]) end
	return math.max(at, r[ACCESS])
end
local function save()
	redis.call('SETRANGE', KEYS[1], 0, struct.pack('{format}', unpack(r, 1, REASONS + 1)))
	expire(KEYS[1], due())
end
`

var (
	// createScript creates a grant. Arguments: row, end. Result: 1; 0: the ID is taken.
	createScript = newScript(expireFunction + `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
expire(KEYS[1], tonumber(ARGV[2]))
return 1`)

	// advanceScript advances a grant. Arguments: from, to, now, idle end, access token's end, replay. Result: 1,
	// resultMissing, resultConflict or resultOutlivesIndexes.
	advanceScript = newScript(readRow + `
local from, to, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local idle, access = tonumber(ARGV[4]), tonumber(ARGV[5])
if r[GEN] ~= from or r[REVOKED] ~= {zero} or now >= r[ENDS] or now >= r[IDLE] then return 0 end
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
if idle ~= {zero} then r[IDLE] = idle end
local outlives = access > math.max(r[ACCESS], r[ENDS] + {retention})
r[ACCESS] = math.max(r[ACCESS], access)
save()
return outlives and 2 or 1`)

	// revokeScript revokes a grant. Arguments: now, padded reason, its length. Result: resultMissing, resultDone, or
	// when the grant is disposable.
	revokeScript = newScript(readRow + `
if r[REVOKED] ~= {zero} then return -2 end
r[REVOKED] = tonumber(ARGV[1])
r[REASONS], r[REASONS + 1] = tonumber(ARGV[3]), ARGV[2]
save()
return string.format('%.0f', due())`)

	// deleteScript deletes a grant that is disposable. Argument: now. Result: resultMissing, resultDone, or when the
	// grant will be disposable.
	deleteScript = newScript(readRow + `
local at = due()
if at > tonumber(ARGV[1]) then return string.format('%.0f', at) end
redis.call('DEL', KEYS[1])
return -2`)

	// addToIndexScript adds an ID to an index. Arguments: ID, score, the end of the entry, how many expired entries to
	// remove, and the score up to which they are expired.
	addToIndexScript = newScript(extendFunction + `
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
extend(KEYS[1], tonumber(ARGV[3]))
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[5], 'LIMIT', 0, ARGV[4])
if #over > 0 then redis.call('ZREM', KEYS[1], unpack(over)) end
return 1`)

	// addToListScript adds entries to the revocation list. Arguments: the end of the last one, then the entries. All
	// have the score 0, so that they are sorted by their bytes.
	addToListScript = newScript(extendFunction + `
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 0, ARGV[i]) end
extend(KEYS[1], tonumber(ARGV[1]))
return 1`)

	// addClientScript adds a client to the set of clients. Argument: its ID.
	addClientScript = newScript(`return redis.call('SADD', KEYS[1], ARGV[1])`)

	// onceScript stores a key. Arguments: key, now, until. Result: 1; 0: the key is stored already.
	onceScript = newScript(extendFunction + `
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if known and tonumber(ARGV[2]) < tonumber(known) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
extend(KEYS[1], tonumber(ARGV[3]))
return 1`)

	// sweepOnceScript deletes keys whose time is over. Arguments: now, limit. Result: how many.
	sweepOnceScript = newScript(`
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #over > 0 then redis.call('ZREM', KEYS[1], unpack(over)) end
return #over`)

	// saveKeysScript saves the signing keys. Arguments: the expected version, the new version, the encrypted state.
	// Result: 1; 0: the version differs.
	saveKeysScript = newScript(`
if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'sealed', ARGV[3])
return 1`)
)
