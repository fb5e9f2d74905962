package middleware_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// two accepts the tokens of the other issuer too, for audience api2, on terms that may be changed.
func two(change func(*middleware.Issuer)) setting {
	return func(w *world) {
		terms := w.other.IssuerConfig("api2")
		if change != nil {
			change(&terms)
		}
		w.cfg.MoreIssuers = []middleware.Issuer{terms}
	}
}

// theirs asks with a token of the other issuer, for api2.
func theirs(mods ...authtest.Mod) asking {
	return func(w *world) *http.Request {
		return w.other.Request("GET", "/", append([]authtest.Mod{authtest.Audience("api2")}, mods...)...)
	}
}

// crossed asks with a token that is signed with the key of one issuer and says to be from the other.
func crossed(signer, name func(*world) *authtest.Issuer, audience string) asking {
	return func(w *world) *http.Request {
		return signer(w).Request("GET", "/", authtest.IssuedBy(name(w).Name()), authtest.Audience(audience))
	}
}

func ours(w *world) *authtest.Issuer { return w.iss }

func others(w *world) *authtest.Issuer { return w.other }

// Several issuers: each with its own audience, algorithms, keys and profile.
var issuerPolicies = []policy{
	{"the other issuer where it is not configured", nil, theirs(), 401, "unknown_issuer", invalid(badIssuer)},
	{"the first of two", two(nil), mint(), 200, "accepted", nothing},
	{"the second of two", two(nil), theirs(), 200, "accepted", nothing},
	{"a third", two(nil), mint(authtest.IssuedBy("https://third.test")), 401, "unknown_issuer", invalid(badIssuer)},
	{"the first with the second's audience", two(nil), mint(authtest.Audience("api2")), 401, "wrong_audience", invalid(badAudience)},
	{"the second with the first's audience", two(nil), theirs(authtest.Audience("api1")), 401, "wrong_audience", invalid(badAudience)},
	{"the first's name with the second's key (both have that kid)", two(nil), crossed(others, ours, "api1"), 401, "invalid_signature", invalid(wrongSigning)},
	{"the second's name with the first's key (both have that kid)", two(nil), crossed(ours, others, "api2"), 401, "invalid_signature", invalid(wrongSigning)},
	{"an algorithm of the first alone, by the first", two(only("EdDSA")), mint(), 200, "accepted", nothing},
	{"an algorithm of the first alone, by the second", two(only("EdDSA")), theirs(), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"an algorithm of the second alone, by the first", all(algorithms("EdDSA"), two(nil)), mint(), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"an algorithm of the second alone, by the second", all(algorithms("EdDSA"), two(nil)), theirs(), 200, "accepted", nothing},
	{"the second's profile: JWT from the first", two(strict), mint(authtest.Header("typ", "JWT")), 200, "accepted", nothing},
	{"the second's profile: JWT from the second", two(strict), theirs(authtest.Header("typ", "JWT")), 401, "type_not_allowed", invalid(badType)},
	{"the second's profile: no jti from the second", two(strict), theirs(authtest.Without("jti")), 401, "missing_claim", invalid(missing)},
	{"the second's required claims, from the first", two(func(i *middleware.Issuer) { i.RequiredClaims = []string{"tenant"} }), mint(), 200, "accepted", nothing},
	{"the second's required claims, from the second", two(func(i *middleware.Issuer) { i.RequiredClaims = []string{"tenant"} }), theirs(), 401, "missing_claim", invalid(missing)},
	{"the second's scope claims", all(two(func(i *middleware.Issuer) { i.ScopeClaims = []string{"roles"} }), needs("admin")), theirs(authtest.Claim("roles", "admin")), 200, "accepted", nothing},
	{"the second's greatest age, by the first", two(func(i *middleware.Issuer) { i.MaxTokenAge = time.Second }), late(3 * time.Minute), 200, "accepted", nothing},
	{"the keys of the second are not there, by the first", all(two(nil), func(w *world) { w.other.Outage(true) }), mint(), 200, "accepted", nothing},
	{"the keys of the second are not there, by the second", all(two(nil), func(w *world) { w.other.Outage(true) }), theirs(), 503, "keys_unavailable", nothing},
}

func only(alg string) func(*middleware.Issuer) {
	return func(i *middleware.Issuer) { i.Algorithms = []string{alg} }
}

func strict(i *middleware.Issuer) { i.Profile = middleware.RFC9068 }

// source is a KeySource that answers as it is told.
type source func(ctx context.Context, kid, alg string) ([]*jwks.Key, error)

func (s source) Lookup(ctx context.Context, kid, alg string) ([]*jwks.Key, error) {
	return s(ctx, kid, alg)
}

func keys(answer source) setting { return with(func(c *middleware.Config) { c.Issuer.Keys = answer }) }

func failing(err error) setting {
	return keys(func(context.Context, string, string) ([]*jwks.Key, error) { return nil, err })
}

// wrongKey answers every question with a key that does not fit ES256.
func wrongKey(w *world) {
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(w.t, err)
	key, err := jwks.NewKey("x", "", private.Public())
	require.NoError(w.t, err)
	keys(func(context.Context, string, string) ([]*jwks.Key, error) { return []*jwks.Key{key}, nil })(w)
}

var errElse = errors.New("something else")

// Steps 5 and 6: keys that are there, that are not, and that can't be had.
var keyPolicies = []policy{
	{"the issuer's keys by discovery", nil, mint(), 200, "accepted", nothing},
	{"a key that is new since", nil, func(w *world) *http.Request { w.iss.Rotate(); return w.iss.Request("GET", "/") }, 200, "accepted", nothing},
	{"a key that is retired and still published", nil, func(w *world) *http.Request { r := w.iss.Request("GET", "/"); w.iss.Rotate(); return r }, 200, "accepted", nothing},
	{"a key that is removed", nil, func(w *world) *http.Request {
		r := w.iss.Request("GET", "/")
		w.iss.Rotate()
		w.iss.RemoveOldKeys()
		return r
	}, 401, "unknown_key", invalid(unknownKey)},
	{"the issuer is down", func(w *world) { w.iss.Outage(true) }, mint(), 503, "keys_unavailable", nothing},
	{"the issuer is down, and the token is expired: no need to ask", func(w *world) { w.iss.Outage(true) }, mint(authtest.Expired), 401, "expired", invalid(expired)},
	{"the issuer is down, and the token is for others", func(w *world) { w.iss.Outage(true) }, mint(authtest.Audience("x")), 401, "wrong_audience", invalid(badAudience)},
	{"the issuer is down, and the signature is malformed", func(w *world) { w.iss.Outage(true) }, segment(2, to("A")), 401, "malformed", invalid(malformedToken)},
	{"the source knows no such key", failing(fmt.Errorf("x: %w", jwks.ErrKeyNotFound)), mint(), 401, "unknown_key", invalid(unknownKey)},
	{"the source is unavailable", failing(fmt.Errorf("x: %w", jwks.ErrUnavailable)), mint(), 503, "keys_unavailable", nothing},
	{"the source fails otherwise", failing(errElse), mint(), 503, "keys_unavailable", nothing},
	{"the source has no key and no error", failing(nil), mint(), 401, "unknown_key", invalid(unknownKey)},
	{"the source has a key of another curve", wrongKey, mint(), 401, "unfit_key", invalid("The signing key does not fit the algorithm")},
	{"the request is cancelled while the keys are awaited", keys(func(ctx context.Context, _, _ string) ([]*jwks.Key, error) { return nil, ctx.Err() }), func(w *world) *http.Request {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return w.iss.Request("GET", "/").WithContext(ctx)
	}, 503, "cancelled", nothing},
	{"the key set by an address of its own", with(func(c *middleware.Config) { c.Issuer.KeySetURL = "https://issuer.test/jwks.json" }), mint(), 200, "accepted", nothing},
	{"a signature of another key under this kid", nil, crossed(others, ours, "api1"), 401, "invalid_signature", invalid(wrongSigning)},
	{"a signature of another text", nil, func(w *world) *http.Request {
		return carrying(cut(w.iss.Token(), 2) + "." + last(w.iss.Token(authtest.Subject("bob"))))
	}, 401, "invalid_signature", invalid(wrongSigning)},
	{"a payload changed by one claim", nil, func(w *world) *http.Request {
		return carrying(cut(w.iss.Token(authtest.Subject("bob")), 2) + "." + last(w.iss.Token()))
	}, 401, "invalid_signature", invalid(wrongSigning)},
	{"a signature of all zeros", nil, segment(2, to(zeros(64))), 401, "invalid_signature", invalid(wrongSigning)},
	{"a signature cut by a byte", nil, segment(2, to(zeros(63))), 401, "invalid_signature", invalid(wrongSigning)},
}
