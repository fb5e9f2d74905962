package middleware_test

import (
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// The soak at its full length, 10 million requests with a million tokens, takes some minutes:
//
//	go test ./middleware -run TestSoak -soak-epochs 250 -soak-tokens 4000 -timeout 1h
var (
	soakEpochs = flag.Int("soak-epochs", 8, "how long TestSoak lasts")
	soakTokens = flag.Int("soak-tokens", 60, "how many tokens TestSoak issues in each epoch; each is presented ten times")
)

// A soakToken is a token and what is to be said of it, worked out from how it was made.
type soakToken struct {
	raw, subject string
	epoch        int // whose key signed it
	exp          time.Time
}

// rotating is a source that has the keys of this epoch and the one before.
type rotating struct {
	keys sync.Map // of kid to []*jwks.Key
}

func (s *rotating) Lookup(_ context.Context, kid, _ string) ([]*jwks.Key, error) {
	if keys, ok := s.keys.Load(kid); ok {
		return keys.([]*jwks.Key), nil
	}
	return nil, jwks.ErrKeyNotFound
}

// TestSoak: tokens are issued, presented by several goroutines, and go: by expiry, to the nanosecond, and with their keys. No
// verdict is wrong, and the memory stays where the configuration puts it.
func TestSoak(t *testing.T) {
	require.GreaterOrEqual(t, *soakTokens, 10, "-soak-tokens: some of each kind")
	const skew, step = time.Minute, time.Minute
	start := time.Unix(1_800_000_000, 0)
	var clock atomic.Int64 // nanoseconds since start
	source := &rotating{}
	cfg := middleware.NewConfig("https://issuer.test", "api1")
	cfg.Issuer.Keys, cfg.ClockSkew, cfg.CacheBytes = source, skew, 4<<20
	cfg.Now = func() time.Time { return start.Add(time.Duration(clock.Load())) }
	v, err := middleware.NewValidator(cfg)
	require.NoError(t, err)

	random := rand.New(rand.NewPCG(1, 2))
	generations := map[int][]soakToken{}
	var requests, accepted, expired, unknown atomic.Int64
	want := func(tok *soakToken, epoch int, now time.Time) string {
		switch {
		case !now.Before(tok.exp.Add(skew)):
			expired.Add(1)
			return middleware.ReasonExpired
		case tok.epoch < epoch-1:
			unknown.Add(1)
			return middleware.ReasonUnknownKey
		}
		accepted.Add(1)
		return middleware.ReasonAccepted
	}
	present := func(tok *soakToken, epoch int) {
		requests.Add(1)
		got, err := v.Validate(context.Background(), tok.raw)
		if said, should := middleware.Reason(err), want(tok, epoch, cfg.Now()); said != should || err == nil && got.Subject() != tok.subject {
			t.Errorf("%s of epoch %d in epoch %d: %s, not %s", tok.subject, tok.epoch, epoch, said, should)
		}
	}
	var least, most uint64
	for epoch := range *soakEpochs {
		public, private, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		kid := strconv.Itoa(epoch)
		key, err := jwks.NewKey(kid, "EdDSA", public)
		require.NoError(t, err)
		source.keys.Store(kid, []*jwks.Key{key})
		source.keys.Delete(strconv.Itoa(epoch - 2))
		delete(generations, epoch-4)
		began := time.Duration(epoch) * 10 * step
		clock.Store(int64(began))
		for i := range *soakTokens {
			exp := start.Add(began).Add(time.Duration(random.IntN(40*60))*time.Second + time.Duration(random.IntN(1000))*time.Millisecond)
			tok := soakToken{subject: fmt.Sprintf("%d-%d", epoch, i), epoch: epoch, exp: exp}
			unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": "https://issuer.test", "aud": "api1", "sub": tok.subject,
				"exp": jsonNumber(exp)})
			unsigned.Header["kid"] = kid
			tok.raw, err = unsigned.SignedString(private)
			require.NoError(t, err)
			generations[epoch] = append(generations[epoch], tok)
		}
		for phase := range 10 {
			clock.Store(int64(began + time.Duration(phase)*step))
			var wg sync.WaitGroup
			for g := range 2 {
				from := random.IntN(*soakTokens)
				wg.Go(func() {
					for i := g; i < *soakTokens; i += 2 {
						of := generations[max(0, epoch-i%4)]
						present(&of[(from+i)%len(of)], epoch)
					}
				})
			}
			wg.Wait()
		}
		for _, tok := range generations[epoch][:10] { // the last nanosecond, and the first of the rest
			for _, d := range []time.Duration{-1, 0, 1, -1} {
				clock.Store(int64(tok.exp.Add(skew + d).Sub(start)))
				present(&tok, epoch)
			}
		}
		if epoch%10 == 9 || epoch == *soakEpochs-1 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if least == 0 {
				least = m.HeapAlloc
			}
			most = max(most, m.HeapAlloc)
		}
	}
	count, size, _ := v.CacheState()
	t.Logf("%d requests: %d accepted, %d expired, %d without a key; heap between %d and %d KiB, %d cached tokens of %d KiB",
		requests.Load(), accepted.Load(), expired.Load(), unknown.Load(), least>>10, most>>10, count, size>>10)
	assert.LessOrEqual(t, size, cfg.CacheBytes)
	assert.Positive(t, expired.Load())
	assert.Positive(t, unknown.Load())
	assert.Positive(t, accepted.Load())
	// What is issued is held by the test itself: at most four epochs of tokens of less than 1 KiB.
	assert.Less(t, most, least+uint64(cfg.CacheBytes)+uint64(4**soakTokens)<<10+8<<20)
}

// jsonNumber is t as a NumericDate to the millisecond.
func jsonNumber(t time.Time) any {
	return jsonText(fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/1e6))
}

type jsonText string

func (j jsonText) MarshalJSON() ([]byte, error) { return []byte(j), nil }
