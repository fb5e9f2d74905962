package jwks

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
)

// RotatorConfig says how signing keys live. A zero value means the default.
type RotatorConfig struct {
	// Algorithm is RS256, PS256, ES256, ES384, ES512 or EdDSA; default ES256. RSA keys have 2048 bits. Keys that
	// are stored keep theirs, the next key among them: another Algorithm signs after two rotations.
	//
	// It decides how fast a token endpoint is, more than all else: an RSA signature costs 25 to 30 times an ES256 or EdDSA one,
	// and a server answers 10 to 20 times as many refreshes over HTTP with those as with RS256, which is for clients that know
	// nothing else.
	Algorithm string

	// Store keeps the keys, over restarts and for all nodes; nil means in memory.
	Store KeyStore

	// RotateEvery is how long a key signs; default 90 days.
	RotateEvery time.Duration

	// MaxAge is the Cache-Control max-age of the published document; default 5 minutes. A key is published for at
	// least that long before it signs.
	MaxAge time.Duration

	// TokenLifetime is the longest life of a token signed here, and the clock skew of those who check it: a retired key
	// is published for that long, and for a little more than a minute for nodes whose clocks differ; default 1 hour.
	TokenLifetime time.Duration

	// Signer is a key that is held elsewhere, by a key management service for instance. It signs and is published; nothing is
	// stored and nothing rotates. Store, RotateEvery and TokenLifetime then have to be zero.
	Signer crypto.Signer

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// Logger is told of rotations and of trouble with the store; nil means none.
	Logger *slog.Logger
}

// Rotator makes, rotates and publishes keys, and signs with them. It is an [http.Handler] that answers with the key set,
// and the [KeySource] of the process that signs.
//
// A key is next, then active, then retired, then gone. Next, it is published but does not sign, for RotateEvery as a rule
// and never for less than MaxAge: everybody has it before the first token that needs it. Active, it signs. Retired, it stays
// published until no token lives that it has signed. Nothing of that needs a goroutine: the schedule is settled whenever the
// Rotator is asked for something, and it is written in the store, so that all nodes with one store agree. Their clocks may
// differ by up to a minute.
//
// A kid is the key's RFC 7638 thumbprint. Private keys leave a Rotator only towards its Store.
//
// It is safe for concurrent use.
type Rotator struct {
	cfg     RotatorConfig
	view    atomic.Pointer[rotatorView]
	refresh chan struct{} // holds one token: who takes it may talk to the store
}

// rotatorView is the state with all that is derived from it. It never changes.
type rotatorView struct {
	*rotation
	version  string
	snapshot *snapshot
	document []byte
	etag     string
	recheck  time.Time // when to look at the store again
}

// NewRotator checks the configuration and names all of its problems at once. It does no I/O: the first key is made, or
// loaded, when the Rotator is first used.
func NewRotator(cfg RotatorConfig) (*Rotator, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Rotator{cfg: cfg, refresh: make(chan struct{}, 1)}
	if cfg.Signer != nil {
		public, err := signerKey(cfg.Algorithm, cfg.Signer)
		if err != nil {
			return nil, fmt.Errorf("jwks: Signer: %w", err)
		}
		v, err := newRotatorView(&rotation{keys: []*signingKey{{public: public, signer: cfg.Signer}}}, "", nil)
		if err != nil {
			return nil, fmt.Errorf("jwks: Signer: %w", err)
		}
		r.view.Store(v)
	}
	return r, nil
}

func (cfg RotatorConfig) withDefaults() (RotatorConfig, error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf("jwks: "+format, args...)) }
	if cfg.Algorithm == "" {
		cfg.Algorithm = "ES256"
	}
	if !slices.Contains([]string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"}, cfg.Algorithm) {
		problem("unsupported Algorithm %q", weburl.Clip(cfg.Algorithm, maxText))
	}
	if cfg.Signer != nil && (cfg.Store != nil || cfg.RotateEvery != 0 || cfg.TokenLifetime != 0) {
		problem("a Signer is held elsewhere: it takes no Store, no RotateEvery and no TokenLifetime")
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{{"RotateEvery", &cfg.RotateEvery, 90 * 24 * time.Hour}, {"MaxAge", &cfg.MaxAge, 5 * time.Minute}, {"TokenLifetime", &cfg.TokenLifetime, time.Hour}} {
		switch {
		case *d.value < 0:
			problem("%s is negative: %v", d.name, *d.value)
		case *d.value == 0:
			*d.value = d.zero
		case *d.value < time.Millisecond:
			problem("%s is less than a millisecond: %v", d.name, *d.value)
		}
	}
	if cfg.RotateEvery < 3*cfg.MaxAge {
		problem("RotateEvery %v is less than three times MaxAge %v", cfg.RotateEvery, cfg.MaxAge)
	}
	if cfg.Store == nil {
		cfg.Store = new(MemoryKeyStore)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, errors.Join(problems...)
}

// Algorithm is the alg of the tokens that Sign makes once the keys of a former configuration have retired.
func (r *Rotator) Algorithm() string { return r.cfg.Algorithm }

// Format implements [fmt.Formatter]: whatever the verb, no key is printed.
func (r *Rotator) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, "jwks.Rotator "+r.cfg.Algorithm)
}

// Ready returns nil when there is a key to sign with; it makes or loads one if need be.
func (r *Rotator) Ready(ctx context.Context) error {
	_, err := r.current(ctx)
	return err
}

// Lookup implements [KeySource] with the keys that are published now.
func (r *Rotator) Lookup(ctx context.Context, kid, alg string) ([]*Key, error) {
	v, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	return v.snapshot.lookup(kid, alg)
}

// Rotate makes the next key active now, for an emergency: the active one retires, and stays published for the tokens that it
// has signed. As the next key was published all along, no token is refused, unless it was only made moments ago. When
// another node rotates at the same time there is one rotation and both succeed.
func (r *Rotator) Rotate(ctx context.Context) error {
	if r.cfg.Signer != nil {
		return errors.New("jwks: a Signer that is held elsewhere cannot be rotated here")
	}
	before, err := r.current(ctx)
	if err != nil {
		return err
	}
	was := before.active(r.cfg.Now())
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	_, err = r.settle(ctx, func(s *rotation, now time.Time) (*rotation, error) {
		if is := s.active(now); is != nil && was != nil && is.public.id != was.public.id {
			return r.step(s, now)
		}
		return r.force(s, now)
	})
	if err != nil {
		return unavailable(err)
	}
	r.cfg.Logger.InfoContext(ctx, "jwks: the signing key was rotated on demand")
	return nil
}
