package issuer

import (
	"errors"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/jwks"
)

// openStore puts sessions and keys where the -data flag says.
func (o *Options) openStore(cfg *authserver.Config, rotator *jwks.RotatorConfig) (closeStore func() error, err error) {
	if o.DataDir == "" {
		return func() error { return nil }, nil
	}
	store, err := boltstore.Open(o.DataDir)
	switch {
	case errors.Is(err, boltstore.ErrInUse), errors.Is(err, boltstore.ErrDamaged):
		return nil, err
	case err != nil:
		return nil, &program.UsageError{Flag: "data", Err: err}
	}
	cfg.Store = store
	cfg.RefreshKeys = store.RefreshKeys()
	rotator.Store = store
	return store.Close, nil
}
