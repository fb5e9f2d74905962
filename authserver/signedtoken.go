package authserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/internal/jws"
	"github.com/bearergate/bearergate/internal/strictjson"
	"github.com/bearergate/bearergate/internal/weburl"
	"github.com/bearergate/bearergate/jwks"
)

// signedToken is a client assertion or an ID token that comes back. Nothing in it is authenticated before verify
// returns nil.
type signedToken struct {
	message jws.Message

	issuer, subject, sessionID, id string
	audience                       []string
	expires, notBefore             time.Time // zero: not there
}

// registeredClaims are those that are read. None of them may come in another case.
var registeredClaims = strictjson.NewVocabulary("iss", "sub", "sid", "jti", "aud", "exp", "nbf", "iat")

var errClaim = errors.New("authserver: a claim has the wrong type, or its name another case")

// readSignedToken reads a JWT that is a strict JWS with a strict JSON object as its claims. A registered claim must
// have the type that RFC 7519, Section 4.1, gives it.
func readSignedToken(raw string) (*signedToken, error) {
	m, err := jws.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jwt.ErrTokenMalformed, err)
	}
	t := &signedToken{message: m}
	if err := strictjson.Object(m.Payload, t.setClaim); err != nil {
		return nil, fmt.Errorf("%w: %w", jwt.ErrTokenMalformed, err)
	}
	return t, nil
}

func (t *signedToken) setClaim(name string, v strictjson.Value) error {
	ok := true
	switch name {
	case "iss":
		t.issuer, ok = v.Text()
	case "sub":
		t.subject, ok = v.Text()
	case "sid":
		t.sessionID, ok = v.Text()
	case "jti":
		t.id, ok = v.Text()
	case "aud":
		if one, single := v.Text(); single {
			t.audience = []string{one}
		} else {
			ok = v.EachString(func(s string) bool { t.audience = append(t.audience, s); return true })
		}
	case "exp":
		t.expires, ok = date(v)
	case "nbf":
		t.notBefore, ok = date(v)
	case "iat":
		_, ok = date(v)
	default:
		ok = !registeredClaims.Misspells(name)
	}
	if !ok {
		return fmt.Errorf("%w: %q", errClaim, weburl.Clip(name, 64))
	}
	return nil
}

// date reads a NumericDate to the second.
func date(v strictjson.Value) (time.Time, bool) {
	at, ok := strictjson.NumericDate(v.Raw())
	return at.Truncate(time.Second), ok
}

// verify returns nil if one of the keys made the signature.
func (t *signedToken) verify(ctx context.Context, keys jwks.KeySource) error {
	alg := t.message.Header.Algorithm
	if !jwks.Supported(alg) {
		return fmt.Errorf("%w: alg %q is not allowed", jwt.ErrTokenUnverifiable, weburl.Clip(alg, 64))
	}
	candidates, err := keys.Lookup(ctx, t.message.Header.KeyID, alg)
	if err != nil {
		return err
	}
	for _, k := range candidates {
		if k.Verify(alg, t.message.Input, t.message.Signature) == nil {
			return nil
		}
	}
	return jwt.ErrTokenSignatureInvalid
}
