package jwks

import (
	"context"
	"crypto"
	"log/slog"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// KeyStore keeps a Rotator's state: an opaque text that holds private keys.
type KeyStore interface {
	// Load returns the state and its version, both empty when there is none yet.
	Load(ctx context.Context) (state []byte, version string, err error)
	// Save replaces the state if its version is still the given one, else it fails with ErrConflict.
	Save(ctx context.Context, state []byte, version string) error
}

// FileKeyStore keeps the state in one file.
func FileKeyStore(path string) KeyStore { return nil }

// RotatorConfig says how keys live.
type RotatorConfig struct {
	Algorithm     string
	Store         KeyStore
	RotateEvery   time.Duration
	MaxAge        time.Duration
	TokenLifetime time.Duration
	Signer        crypto.Signer
	Now           func() time.Time
	Logger        *slog.Logger
}

// Rotator makes, rotates, publishes and uses signing keys.
type Rotator struct{ cfg RotatorConfig }

// NewRotator does no I/O.
func NewRotator(cfg RotatorConfig) (*Rotator, error) { return &Rotator{cfg: cfg}, nil }

// Sign signs claims.
func (r *Rotator) Sign(ctx context.Context, typ string, claims jwt.Claims) (string, error) {
	return "", ErrUnavailable
}

// Algorithm is the alg of what Sign makes.
func (r *Rotator) Algorithm() string { return "ES256" }

// Rotate rotates now.
func (r *Rotator) Rotate(ctx context.Context) error { return ErrUnavailable }

// Ready reports whether there is a signing key.
func (r *Rotator) Ready(ctx context.Context) error { return ErrUnavailable }

// ServeHTTP answers with the key set.
func (r *Rotator) ServeHTTP(w http.ResponseWriter, req *http.Request) {}

// Lookup implements [KeySource].
func (r *Rotator) Lookup(ctx context.Context, kid, alg string) ([]*Key, error) {
	return nil, ErrUnavailable
}
