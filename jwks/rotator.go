package jwks

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
)

// RotatorConfig says which signing keys a Rotator makes and when it rotates them. The zero value of a field means its
// default.
type RotatorConfig struct {
	// Algorithm is RS256, PS256, ES256, ES384, ES512 or EdDSA. The default is ES256. RSA keys have 2048 bits. Stored
	// keys keep their algorithm, and the next key is one of them: a changed Algorithm signs after two rotations.
	//
	// It decides, more than anything else, how fast a token endpoint is. An RSA signature costs 25 to 30 times as much
	// as an ES256 or EdDSA one, and a server answers 10 to 20 times as many refreshes over HTTP with those. RS256 is
	// for clients that know nothing else.
	Algorithm string

	// Store keeps the keys across restarts and shares them between nodes. Nil means in memory.
	Store KeyStore

	// RotateEvery is how long a key signs. The default is 90 days. It must be at least three times MaxAge.
	RotateEvery time.Duration

	// MaxAge is the Cache-Control max-age of the published document. The default is 5 minutes. A key is published for
	// at least that long before it signs.
	MaxAge time.Duration

	// TokenLifetime is the longest lifetime of a token signed here plus the clock skew of those who validate it. A
	// retired key is published for that long, and for a little more than a minute on top, because the clocks of nodes
	// differ. The default is 1 hour.
	TokenLifetime time.Duration

	// Signer is a key that is held elsewhere, for instance by a key management service. It signs and is published;
	// nothing is stored and nothing rotates. Store, RotateEvery and TokenLifetime must then be zero.
	Signer crypto.Signer

	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// Logger gets a record for rotations and for failures of the store. Nil means no logging.
	Logger *slog.Logger
}

// Rotator makes, rotates and publishes keys, and signs with them. It is an [http.Handler] that answers with the key
// set, and the [KeySource] of the process that signs.
//
// A key is next, then active, then retired, then gone:
//
//   - The next key is published and does not sign yet. It stays next for RotateEvery as a rule, and never for less than
//     MaxAge, so everybody has it before the first token that needs it.
//   - The active key signs.
//   - A retired key stays published until the last token that it signed has expired.
//
// That needs no goroutine: whenever the Rotator is used, it does what is due. The times of the schedule are in the
// store, so all nodes that share one agree. Their clocks may differ by up to a minute.
//
// A kid is the key's RFC 7638 thumbprint. Private keys leave a Rotator only towards its Store.
//
// It is safe for concurrent use.
type Rotator struct {
	cfg     RotatorConfig
	view    atomic.Pointer[rotatorView]
	refresh chan struct{} // a lock of one place, for reading and writing the store
}

// NewRotator returns a Rotator, or an error that names every problem of cfg. It does no I/O: the first key is made, or
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
		v, _, err := newRotatorView(&rotation{keys: []*signingKey{{public: public, signer: cfg.Signer}}}, "", nil)
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
	setDefaults(problem, []duration{
		{"RotateEvery", &cfg.RotateEvery, 90 * 24 * time.Hour},
		{"MaxAge", &cfg.MaxAge, 5 * time.Minute},
		{"TokenLifetime", &cfg.TokenLifetime, time.Hour},
	})
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

// Algorithm returns the alg of the tokens that Sign makes once the keys of an earlier configuration have retired.
func (r *Rotator) Algorithm() string { return r.cfg.Algorithm }

// Format implements [fmt.Formatter] and prints no key, whatever the verb.
func (r *Rotator) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, "jwks.Rotator "+r.cfg.Algorithm)
}

// Ready returns nil if there is a key to sign with. It loads or makes one if there is none yet.
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
	return v.snapshot.lookUp(kid, alg)
}

// Rotate makes the next key active now, for an emergency. The active key retires, and stays published for the tokens
// that it has signed. No token is rejected, since the next key has been published all along, unless it was made moments
// ago. If another node rotates at the same time, there is one rotation and both succeed. With a Signer it fails.
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
	_, err = r.update(ctx, func(s *rotation, now time.Time) (*rotation, error) {
		if is := s.active(now); is != nil && was != nil && is.public.id != was.public.id {
			return r.rotateOnce(s, now)
		}
		return r.rotateNow(s, now)
	})
	if err != nil {
		return unavailable(err)
	}
	r.cfg.Logger.InfoContext(ctx, "jwks: the signing key was rotated on demand")
	return nil
}

// ServeHTTP answers GET and HEAD with the key set: the retired, the active and the next keys. It sends application/json
// with Cache-Control and an ETag, and allows pages of any origin to read it, since the keys are public. It answers 503
// while there is no key.
func (r *Rotator) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	v, err := r.current(req.Context())
	if err != nil {
		r.cfg.Logger.ErrorContext(req.Context(), "jwks: no keys to publish", "error", err)
		h.Set("Cache-Control", "no-store")
		h.Set("Retry-After", "5")
		http.Error(w, "the keys are not available", http.StatusServiceUnavailable)
		return
	}
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(r.cfg.MaxAge/time.Second)))
	h.Set("ETag", v.etag)
	h.Set("Content-Type", "application/json")
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(v.document)) // with the ETag, it answers If-None-Match
}
