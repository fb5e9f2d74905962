package middleware

import (
	"context"
	"errors"
)

// A Validator judges access tokens. It is safe for concurrent use.
type Validator struct{}

// NewValidator returns a Validator. It does no I/O. Its error names every problem of cfg at once.
func NewValidator(cfg *Config) (*Validator, error) {
	if cfg == nil || !cfg.made {
		return nil, errors.New("middleware: config was not made by NewConfig")
	}
	return &Validator{}, nil
}

// Validate judges raw, the text of a token.
func (v *Validator) Validate(ctx context.Context, raw string) (*Token, error) {
	return nil, ErrInvalidToken
}

// Ready reports whether the keys of every issuer can be had.
func (v *Validator) Ready(ctx context.Context) error { return nil }

// Close ends what the Validator has running in the background.
func (v *Validator) Close() error { return nil }
