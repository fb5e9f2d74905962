package authtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// An Issuer is an authorization server for tests: it mints tokens, good and bad, and publishes its keys, in process. It
// is safe for concurrent use.
type Issuer struct {
	tb   testing.TB
	name string
	alg  string
	mods []Mod // for every token

	mu      sync.Mutex
	now     time.Time
	serial  int
	minted  int
	signing map[string]*key // by algorithm
	keys    []*key          // published
	weak    []*key          // that BadTokens uses
	expose  bool            // weak is published too
	down    bool
}

// NewIssuer returns an Issuer that is called https://issuer.test, signs with ES256 and ends with the test. The mods
// apply to every token that it mints, before the token's own; IssuedBy gives the issuer another name, as several issuers
// in one test need. With a nil tb, in an Example, errors panic.
//
// A token of it, unless mods say otherwise, has the header typ at+jwt and a kid, the claims that RFC 9068 requires (iss,
// sub "alice", client_id "client", aud "api1", iat, jti), nbf, and exp five minutes after the issuer's now.
func NewIssuer(tb testing.TB, mods ...Mod) *Issuer {
	iss := &Issuer{
		tb:      tb,
		mods:    slices.Clone(mods),
		now:     time.Now().Truncate(time.Second),
		signing: map[string]*key{},
	}
	d := iss.draft()
	iss.name, _ = d.claims["iss"].(string)
	iss.alg = d.alg
	iss.key(d.alg) // published from the beginning
	return iss
}

// Name is the issuer identifier, the iss of its tokens.
func (iss *Issuer) Name() string { return iss.name }

// Config returns a Config for the tokens of this issuer, for audience api1 unless others are given, whose keys are found
// by discovery in process and whose clock is the issuer's.
func (iss *Issuer) Config(audience ...string) *middleware.Config {
	if len(audience) == 0 {
		audience = []string{"api1"}
	}
	cfg := middleware.NewConfig(iss.name, audience...)
	cfg.HTTPClient = iss.Client()
	if !slices.Contains(cfg.Issuer.Algorithms, iss.alg) {
		cfg.Issuer.Algorithms = append(cfg.Issuer.Algorithms, iss.alg)
	}
	cfg.Now = iss.Now
	return cfg
}

// Terms returns the issuer as one of several, for [middleware.Config].MoreIssuers: for audience api1 unless others are given,
// with keys by discovery in process.
func (iss *Issuer) Terms(audience ...string) middleware.Issuer {
	if len(audience) == 0 {
		audience = []string{"api1"}
	}
	terms := middleware.NewIssuer(iss.name, audience...)
	if !slices.Contains(terms.Algorithms, iss.alg) {
		terms.Algorithms = append(terms.Algorithms, iss.alg)
	}
	keys, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: iss.name, Client: iss.Client()})
	iss.must(err)
	if iss.tb != nil {
		iss.tb.Cleanup(func() { _ = keys.Close() })
	}
	terms.Keys = keys
	return terms
}

// Token mints a token.
func (iss *Issuer) Token(mods ...Mod) string {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	d := iss.draft(mods...)
	return iss.sign(d, iss.key(d.alg))
}

// TokenOf signs two texts, whatever they are, as header and payload: for tokens that no map of claims can be, with
// duplicate members or broken JSON. KeyID and the algorithm of NewIssuer belong into the header.
func (iss *Issuer) TokenOf(header, payload string) string {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	return iss.seal(b64([]byte(header))+"."+b64([]byte(payload)), iss.key(iss.alg))
}

// KeyID is the kid of the key that signs now.
func (iss *Issuer) KeyID() string {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	return iss.key(iss.alg).id
}

// Request returns a request for a handler's test, as httptest.NewRequest makes it, that carries a token as
// "Authorization: Bearer".
func (iss *Issuer) Request(method, target string, mods ...Mod) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(mods...))
	return r
}

// Now is the issuer's clock. It stands still until Advance moves it.
func (iss *Issuer) Now() time.Time {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	return iss.now
}

// Advance moves the clock.
func (iss *Issuer) Advance(d time.Duration) {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.now = iss.now.Add(d)
}

// Rotate makes new keys, with new kids, that sign from now on. The old ones stay published, as a good issuer keeps them,
// unless Revoke removes them.
func (iss *Issuer) Rotate() {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	algs := slices.Collect(maps.Keys(iss.signing))
	clear(iss.signing)
	for _, alg := range algs {
		iss.key(alg)
	}
}

// Revoke stops publishing every key but those that sign now.
func (iss *Issuer) Revoke() {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	kept := iss.keys[:0:0]
	for _, k := range iss.keys {
		if iss.signing[k.alg] == k {
			kept = append(kept, k)
		}
	}
	iss.keys = kept
}

// PublishWeakKeys adds two keys to the key set that an issuer should not have there, the ones that two of [Issuer.BadTokens]
// are signed with: an RSA key of 1024 bits, and a P-384 key whose kid a token with ES256 names. Without it these tokens
// name keys that are not published, and are refused with the same reason. It is a call of its own because verifiers other
// than package middleware may refuse the whole key set for the sake of the first.
func (iss *Issuer) PublishWeakKeys() {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.weakKeys()
	iss.expose = true
}

// Outage makes discovery and key set answer 503, or work again.
func (iss *Issuer) Outage(down bool) {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.down = down
}

// draft is a token with the mods applied. The mutex is held.
func (iss *Issuer) draft(mods ...Mod) *draft {
	iss.minted++
	d := &draft{
		alg:    "ES256",
		header: map[string]any{"typ": "at+jwt"},
		claims: map[string]any{
			"iss": "https://issuer.test", "sub": "alice", "client_id": "client", "aud": "api1",
			"iat": iss.now.Unix(), "nbf": iss.now.Unix(), "exp": iss.now.Add(5 * time.Minute).Unix(),
			"jti": "token-" + strconv.Itoa(iss.minted),
		},
		now: iss.now,
	}
	for _, m := range slices.Concat(iss.mods, mods) {
		m.apply(d)
	}
	return d
}

// sign writes d, signed by k.
func (iss *Issuer) sign(d *draft, k *key) string {
	for name, value := range map[string]any{"alg": k.alg, "kid": k.id} {
		if _, set := d.header[name]; !set {
			d.header[name] = value
		}
	}
	maps.DeleteFunc(d.header, func(_ string, value any) bool { return value == nil }) // Header(name, nil)
	head, err := b64JSON(d.header)
	iss.must(err)
	body, err := b64JSON(d.claims)
	iss.must(err)
	return iss.seal(head+"."+body, k)
}

// seal signs input and appends the signature.
func (iss *Issuer) seal(input string, k *key) string {
	signature, err := k.sign(input)
	iss.must(err)
	return input + "." + b64(signature)
}

// key returns the key that signs for alg now, making and publishing one if need be. The mutex is held.
func (iss *Issuer) key(alg string) *key {
	if k := iss.signing[alg]; k != nil {
		return k
	}
	iss.serial++
	k, err := newKey(alg, fmt.Sprintf("%s-%d", alg, iss.serial), iss.serial)
	iss.must(err)
	iss.signing[alg] = k
	iss.keys = append(iss.keys, k)
	return k
}

// weakKeys returns the keys of newWeakKeys, always the same. The mutex is held.
func (iss *Issuer) weakKeys() (weak, wide *key) {
	if iss.weak == nil {
		weak, wide, err := newWeakKeys()
		iss.must(err)
		iss.weak = []*key{weak, wide}
	}
	return iss.weak[0], iss.weak[1]
}

// keySet is the published document.
func (iss *Issuer) keySet() []byte {
	keys := make([]map[string]any, 0, len(iss.keys))
	for _, k := range iss.keys {
		keys = append(keys, k.jwk())
	}
	if iss.expose {
		for _, k := range iss.weak {
			keys = append(keys, k.jwk())
		}
	}
	doc, err := json.Marshal(map[string]any{"keys": keys})
	iss.must(err)
	return doc
}

func (iss *Issuer) must(err error) {
	switch {
	case err == nil:
	case iss.tb == nil:
		panic("authtest: " + err.Error())
	default:
		iss.tb.Helper()
		iss.tb.Fatalf("authtest: %v", err)
	}
}
