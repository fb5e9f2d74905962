package issuer

import (
	"errors"
	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/jwks"
)

// openStore puts sessions and keys where the -data flag says.
func (o *Options) openStore(cfg *authserver.Config, rotator *jwks.RotatorConfig) (closeStore func() error, err error) {
	if o.DataDir == "" {
		return func() error { return nil }, nil
	}
	return nil, &program.UsageError{Flag: "data", Err: errors.New("not yet")}
}
