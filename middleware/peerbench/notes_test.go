package peerbench

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-chi/jwtauth/v5"
	"github.com/golang-jwt/jwt/v5"
	cap "github.com/hashicorp/cap/jwt"
	echojwt "github.com/labstack/echo-jwt/v5"
	"github.com/labstack/echo/v5"
	"github.com/lestrrat-go/httprc/v3"
	jwtv2 "github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	jwx "github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/authtest"
)

// What the notes of PEERS.md say of other ways to wire a library is observed too.
func TestNotes(t *testing.T) {
	for _, note := range []struct {
		name string
		is   func(t *testing.T, w *world) bool
	}{
		{"auth0 accepts a token without exp when it has no validator of registered claims", func(t *testing.T, w *world) bool {
			_, err := auth0(t, w).ValidateToken(w.ctx, w.issuer.Token(authtest.Without("exp")))
			return err == nil
		}},
		{"auth0 allows a clock skew when it is told to", func(t *testing.T, w *world) bool {
			v := auth0(t, w, validator.WithAllowedClockSkew(time.Minute))
			_, err := v.ValidateToken(w.ctx, w.issuer.Token(authtest.ExpiresIn(-30*time.Second)))
			return err == nil
		}},
		{"auth0's errors say that the keys could not be fetched", func(t *testing.T, w *world) bool {
			w.issuer.Outage(true)
			code := ""
			mw, err := jwtmiddleware.New(jwtmiddleware.WithValidator(auth0(t, w)),
				jwtmiddleware.WithErrorHandler(func(rw http.ResponseWriter, _ *http.Request, err error) {
					if v := (*jwtmiddleware.ValidationError)(nil); assert.ErrorAs(t, err, &v) {
						code = v.Code
					}
					rw.WriteHeader(http.StatusServiceUnavailable)
				}))
			require.NoError(t, err)
			w.api = mw.CheckJWT(http.NotFoundHandler())
			return w.send(w.issuer.Token()).StatusCode == http.StatusServiceUnavailable && code == jwtmiddleware.ErrorCodeJWKSFetchFailed
		}},
		{"golang-jwt accepts a token without exp unless told otherwise", func(t *testing.T, w *world) bool {
			k, err := keys(w.ctx, w.target)
			require.NoError(t, err)
			_, err = jwt.Parse(w.issuer.Token(authtest.Without("exp")), k.Keyfunc)
			return err == nil
		}},
		{"golang-jwt allows a clock skew when it is told to", func(t *testing.T, w *world) bool {
			k, err := keys(w.ctx, w.target)
			require.NoError(t, err)
			_, err = jwt.Parse(w.issuer.Token(authtest.ExpiresIn(-30*time.Second)), k.Keyfunc, jwt.WithLeeway(time.Minute))
			return err == nil
		}},
		{"echo-jwt with its KeyFunc alone checks neither iss nor aud", func(t *testing.T, w *world) bool {
			k, err := keys(w.ctx, w.target)
			require.NoError(t, err)
			e := echo.New()
			e.Use(echojwt.WithConfig(echojwt.Config{KeyFunc: k.Keyfunc}))
			e.GET("/orders", func(c *echo.Context) error { return c.NoContent(http.StatusOK) })
			w.api = e
			return w.accepts(w.issuer.Token(authtest.IssuedBy("https://other.test"), authtest.Audience("api2")))
		}},
		{"jwx takes a key set with a key that it does not know, when told to", func(t *testing.T, w *world) bool {
			w.edit = func(doc []byte) []byte {
				return editKeys(t, doc, func(keys []map[string]any) []map[string]any {
					return append(keys, map[string]any{"kty": "AKP", "alg": "ML-DSA-65", "kid": "pq", "pub": "AAAA"})
				})
			}
			cache, err := jwk.NewCache(w.ctx, httprc.NewClient())
			require.NoError(t, err)
			require.NoError(t, cache.Register(w.ctx, w.target.KeySetURL, jwk.WithHTTPClient(w.target.Client), jwk.WithIgnoreParseError(true)))
			set, err := cache.CachedSet(w.target.KeySetURL)
			require.NoError(t, err)
			_, err = jwx.ParseString(w.issuer.Token(), jwx.WithKeySet(set))
			return err == nil
		}},
		{"jwx takes keys without alg, and tokens without kid, when told to", func(t *testing.T, w *world) bool {
			w.edit = func(doc []byte) []byte {
				return editKeys(t, doc, func(keys []map[string]any) []map[string]any { delete(keys[0], "alg"); return keys })
			}
			set, err := jwk.Fetch(w.ctx, w.target.KeySetURL, jwk.WithHTTPClient(w.target.Client))
			require.NoError(t, err)
			_, noAlg := jwx.ParseString(w.issuer.Token(), jwx.WithKeySet(set, jws.WithInferAlgorithmFromKey(true)))
			_, noKid := jwx.ParseString(w.issuer.Token(authtest.Header("kid", nil)),
				jwx.WithKeySet(set, jws.WithInferAlgorithmFromKey(true), jws.WithRequireKid(false)))
			_, skew := jwx.ParseString(w.issuer.Token(authtest.ExpiresIn(-30*time.Second)),
				jwx.WithKeySet(set, jws.WithInferAlgorithmFromKey(true)), jwx.WithAcceptableSkew(time.Minute))
			return noAlg == nil && noKid == nil && skew == nil
		}},
		{"jwtauth allows a clock skew when it is told to", func(t *testing.T, w *world) bool {
			key, err := firstKey(w.ctx, w.target)
			require.NoError(t, err)
			auth := jwtauth.New("ES256", nil, key, jwtv2.WithAcceptableSkew(time.Minute))
			_, err = jwtauth.VerifyToken(auth, w.issuer.Token(authtest.ExpiresIn(-30*time.Second)))
			return err == nil
		}},
		{"jwx, go-oidc and cap can be set up while the issuer is down", func(t *testing.T, w *world) bool {
			w.issuer.Outage(true)
			cache, err := jwk.NewCache(w.ctx, httprc.NewClient(httprc.WithHTTPClient(w.target.Client)))
			require.NoError(t, err)
			registered := cache.Register(w.ctx, w.target.KeySetURL, jwk.WithHTTPClient(w.target.Client), jwk.WithWaitReady(false))
			ctx := oidc.ClientContext(w.ctx, w.target.Client)
			verifier := oidc.NewVerifier(w.target.Issuer, oidc.NewRemoteKeySet(ctx, w.target.KeySetURL),
				&oidc.Config{ClientID: "api1", SupportedSigningAlgs: []string{"ES256"}})
			set, err := cap.NewJSONWebKeySet(ctx, w.target.KeySetURL, "")
			require.NoError(t, err)
			w.issuer.Outage(false)
			_, byOIDC := verifier.Verify(w.ctx, w.issuer.Token())
			_, byCap := set.VerifySignature(w.ctx, w.issuer.Token())
			return registered == nil && byOIDC == nil && byCap == nil
		}},
		{"go-oidc allows nbf five minutes", func(t *testing.T, w *world) bool {
			require.NoError(t, w.start(w.ctx, peerNamed(t, "go-oidc")))
			nbf := w.issuer.Now().Add(5 * time.Minute).Unix()
			later := authtest.ExpiresIn(time.Hour)
			return w.accepts(w.issuer.Token(later, authtest.Claim("nbf", nbf))) && !w.accepts(w.issuer.Token(later, authtest.Claim("nbf", nbf+1)))
		}},
	} {
		t.Run(note.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := newWorld(t)
				w.ctx = ctx
				assert.True(t, note.is(t, w))
			})
		})
	}
}

// auth0 is the validator of auth0's first example, with more options.
func auth0(t *testing.T, w *world, more ...validator.Option) *validator.Validator {
	issuer, err := url.Parse(w.target.Issuer)
	require.NoError(t, err)
	provider, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuer), jwks.WithCustomClient(w.target.Client))
	require.NoError(t, err)
	v, err := validator.New(append([]validator.Option{
		validator.WithKeyFunc(provider.KeyFunc),
		validator.WithAlgorithm(validator.ES256),
		validator.WithIssuer(w.target.Issuer),
		validator.WithAudience(w.target.Audience),
	}, more...)...)
	require.NoError(t, err)
	return v
}

func peerNamed(t *testing.T, name string) Peer {
	for _, p := range Peers() {
		if p.Name == name {
			return p
		}
	}
	require.Fail(t, "no such peer", name)
	return Peer{}
}
