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

// Issuer is an authorization server for tests. It mints tokens, valid and invalid, and publishes its keys in process.
// It is safe for concurrent use.
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
	weak    []*key          // for BadTokens
	expose  bool            // whether weak is published too
	down    bool
}

// NewIssuer returns an Issuer with the name https://issuer.test that signs with ES256. The mods apply to every token
// that it mints, before those of the token. Several issuers in one test need different names: use IssuedBy. With a
// nil tb, for example in an Example, errors panic.
//
// Unless mods change it, a token has typ at+jwt and a kid. Its claims are those that RFC 9068 requires (iss, sub
// "alice", client_id "client", aud "api1", iat, jti), nbf, and exp five minutes after [Issuer.Now].
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
	iss.key(d.alg) // so that it is published from the start
	return iss
}

// Name returns the issuer identifier, the iss of its tokens.
func (iss *Issuer) Name() string { return iss.name }

// Config returns a Config for the tokens of this issuer. The audience is api1 if none is given. The keys are found by
// discovery in process, and the clock is the issuer's.
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

// IssuerConfig returns the issuer as one of several, for [middleware.Config].MoreIssuers. The audience is api1 if
// none is given. The keys are found by discovery in process.
func (iss *Issuer) IssuerConfig(audience ...string) middleware.Issuer {
	if len(audience) == 0 {
		audience = []string{"api1"}
	}
	cfg := middleware.NewIssuer(iss.name, audience...)
	if !slices.Contains(cfg.Algorithms, iss.alg) {
		cfg.Algorithms = append(cfg.Algorithms, iss.alg)
	}
	keys, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: iss.name, Client: iss.Client()})
	iss.must(err)
	if iss.tb != nil {
		iss.tb.Cleanup(func() { _ = keys.Close() })
	}
	cfg.Keys = keys
	return cfg
}

// Token mints a token.
func (iss *Issuer) Token(mods ...Mod) string {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	d := iss.draft(mods...)
	return iss.sign(d, iss.key(d.alg))
}

// TokenOf signs any two texts as header and payload. It makes tokens that no map of claims can express, with duplicate
// members or broken JSON. The header should name KeyID and the algorithm of NewIssuer.
func (iss *Issuer) TokenOf(header, payload string) string {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	return iss.seal(b64([]byte(header))+"."+b64([]byte(payload)), iss.key(iss.alg))
}

// KeyID returns the kid of the current signing key.
func (iss *Issuer) KeyID() string {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	return iss.key(iss.alg).id
}

// Request returns a request from httptest.NewRequest that carries a token in "Authorization: Bearer".
func (iss *Issuer) Request(method, target string, mods ...Mod) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(mods...))
	return r
}

// Now returns the time of the issuer's clock. It stands still until Advance moves it.
func (iss *Issuer) Now() time.Time {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	return iss.now
}

// Advance moves the clock by d.
func (iss *Issuer) Advance(d time.Duration) {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.now = iss.now.Add(d)
}

// Rotate makes new signing keys with new kids. The old keys stay published until RemoveOldKeys.
func (iss *Issuer) Rotate() {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	algs := slices.Collect(maps.Keys(iss.signing))
	clear(iss.signing)
	for _, alg := range algs {
		iss.key(alg)
	}
}

// RemoveOldKeys stops publishing all keys except the current signing keys.
func (iss *Issuer) RemoveOldKeys() {
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

// PublishWeakKeys adds the keys of two [Issuer.BadTokens] to the key set: an RSA key of 1024 bits, and a P-384 key
// whose kid is in a token with ES256. No issuer should publish them. Without this call the two tokens name
// unpublished keys, and are rejected for the same reason. It is a separate call because validators other than package
// middleware may reject the whole key set if it contains a weak key.
func (iss *Issuer) PublishWeakKeys() {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.weakKeys()
	iss.expose = true
}

// Outage makes discovery and the key set answer 503 if down is true, and work again if it is false.
func (iss *Issuer) Outage(down bool) {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.down = down
}

// draft returns a token with the mods applied. The mutex is held.
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

// sign returns the token d, signed with k.
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

// seal returns input with its signature by k.
func (iss *Issuer) seal(input string, k *key) string {
	signature, err := k.sign(input)
	iss.must(err)
	return input + "." + b64(signature)
}

// key returns the current signing key for alg. It makes and publishes one if necessary. The mutex is held.
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

// weakKeys returns the keys of newWeakKeys, always the same ones. The mutex is held.
func (iss *Issuer) weakKeys() (weak, p384 *key) {
	if iss.weak == nil {
		weak, p384, err := newWeakKeys()
		iss.must(err)
		iss.weak = []*key{weak, p384}
	}
	return iss.weak[0], iss.weak[1]
}

// keySet returns the published key set.
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
