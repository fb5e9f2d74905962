package middleware_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// cut keeps the first n segments.
func cut(token string, n int) string { return strings.Join(strings.Split(token, ".")[:n], ".") }

func last(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }

func zeros(n int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, n)) }

func check(answer error) setting {
	return with(func(c *middleware.Config) {
		c.Check = func(context.Context, *middleware.Token) error { return answer }
	})
}

// reallyNot fails the test when Check is asked.
func neverAsked(w *world) {
	w.cfg.Check = func(context.Context, *middleware.Token) error {
		w.t.Error("Check was asked")
		return nil
	}
}

var (
	errRevoked = errors.New("revoked")
	errOutage  = fmt.Errorf("revocation: %w", middleware.ErrCheckUnavailable)
)

const refusedByCheck = "The access token is not accepted"

// Step 8: the caller's word, last.
var checkPolicies = []policy{
	{"Check accepts", check(nil), mint(), 200, "accepted", nothing},
	{"Check refuses", check(errRevoked), mint(), 401, "refused_by_check", invalid(refusedByCheck)},
	{"Check refuses as an invalid token", check(fmt.Errorf("x: %w", middleware.ErrInvalidToken)), mint(), 401, "refused_by_check", invalid(refusedByCheck)},
	{"Check refuses as not permitted", check(fmt.Errorf("x: %w", middleware.ErrInsufficientScope)), mint(), 403, "not_permitted", insufficient(notPermitted, "")},
	{"Check wants another authentication", check(fmt.Errorf("x: %w", middleware.ErrInsufficientAuthentication)), mint(), 401, "insufficient_acr", stepUp(weakAuth, "")},
	{"Check can't decide", check(errOutage), mint(), 503, "check_unavailable", nothing},
	{"Check can't decide, and the scope does not do", all(check(errOutage), needs("a")), mint(), 503, "check_unavailable", nothing},
	{"Check runs into the end of a context", check(context.Canceled), mint(), 503, "check_unavailable", nothing},
	{"Check runs out of time", check(fmt.Errorf("x: %w", context.DeadlineExceeded)), mint(), 503, "check_unavailable", nothing},
	{"Check's words are not repeated", check(errors.New(`secret", x="y`)), mint(), 401, "refused_by_check", invalid(refusedByCheck)},
	{"Check is not asked about an expired token", neverAsked, mint(authtest.Expired), 401, "expired", invalid(expired)},
	{"Check is not asked about a forged token", neverAsked, segment(2, to(zeros(64))), 401, "invalid_signature", invalid(wrongSigning)},
	{"Check is not asked about a token that lacks a required claim", all(neverAsked, required("tenant")), mint(), 401, "missing_claim", invalid(missing)},
	{"Check asks another validator, which refuses", func(w *world) {
		v, err := middleware.NewValidator(w.other.Config())
		require.NoError(w.t, err)
		w.cfg.Check = func(ctx context.Context, _ *middleware.Token) error {
			_, err := v.Validate(ctx, w.other.Token(authtest.Expired))
			return err
		}
	}, mint(), 401, "refused_by_check", invalid(refusedByCheck)},
	{"Check knows the keys to be unavailable", check(fmt.Errorf("x: %w", middleware.ErrKeysUnavailable)), mint(), 503, "keys_unavailable", nothing},
}
