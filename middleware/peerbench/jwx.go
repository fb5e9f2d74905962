package peerbench

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/jwtauth/v5"
	"github.com/lestrrat-go/httprc/v3"
	jwkv2 "github.com/lestrrat-go/jwx/v2/jwk"
	jwtv2 "github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// newJWX is jwx with its key set cache.
func newJWX(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	cache, err := jwk.NewCache(ctx, httprc.NewClient(httprc.WithHTTPClient(target.Client)))
	if err != nil {
		return nil, err
	}
	// Register waits until the key set has been fetched once.
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := cache.Register(wait, target.KeySetURL, jwk.WithHTTPClient(target.Client)); err != nil {
		return nil, err
	}
	set, err := cache.CachedSet(target.KeySetURL)
	if err != nil {
		return nil, err
	}
	return library(next, func(ctx context.Context, raw string) (string, error) {
		token, err := jwt.ParseString(raw, jwt.WithKeySet(set), jwt.WithIssuer(target.Issuer), jwt.WithAudience(target.Audience),
			jwt.WithRequiredClaim(jwt.ExpirationKey), jwt.WithContext(ctx))
		if err != nil {
			return "", err
		}
		subject, _ := token.Subject()
		return subject, nil
	}), nil
}

// newJWTAuth sets up chi's middleware. It takes one algorithm and one key: the key that the issuer signs with at the start.
func newJWTAuth(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	key, err := firstKey(ctx, target)
	if err != nil {
		return nil, err
	}
	auth := jwtauth.New(target.Algorithm, nil, key, jwtv2.WithIssuer(target.Issuer), jwtv2.WithAudience(target.Audience),
		jwtv2.WithRequiredClaim(jwtv2.ExpirationKey))
	r := chi.NewRouter()
	r.Use(jwtauth.Verifier(auth), jwtauth.Authenticator(auth))
	r.Get("/orders", func(w http.ResponseWriter, r *http.Request) {
		token, _, _ := jwtauth.FromContext(r.Context())
		next(w, r, token.Subject())
	})
	return r, nil
}

func firstKey(ctx context.Context, target Target) (any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.KeySetURL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := target.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	set, err := jwkv2.Parse(doc)
	if err != nil {
		return nil, err
	}
	key, ok := set.Key(0)
	if !ok {
		return nil, errors.New("peerbench: the key set is empty")
	}
	var raw any
	err = key.Raw(&raw)
	return raw, err
}

// scopeClaims are the custom claims of auth0's documentation. They reject a token without the scope.
type scopeClaims struct {
	Scope string `json:"scope"`
	want  string
}

func (c *scopeClaims) Validate(context.Context) error {
	if c.want != "" && !slices.Contains(strings.Fields(c.Scope), c.want) {
		return errors.New("scope is required")
	}
	return nil
}

// newAuth0 is auth0's middleware with its caching provider, its validator of registered claims for exp, and its custom
// claims for the scope.
func newAuth0(_ context.Context, target Target, next Handler) (http.Handler, error) {
	issuer, err := url.Parse(target.Issuer)
	if err != nil {
		return nil, err
	}
	provider, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuer), jwks.WithCustomClient(target.Client))
	if err != nil {
		return nil, err
	}
	var algorithms []validator.SignatureAlgorithm
	for _, a := range target.Algorithms {
		algorithms = append(algorithms, validator.SignatureAlgorithm(a))
	}
	v, err := validator.New(
		validator.WithKeyFunc(provider.KeyFunc),
		validator.WithAlgorithms(algorithms),
		validator.WithIssuer(target.Issuer),
		validator.WithAudience(target.Audience),
		validator.WithRegisteredClaimsValidator(func(c validator.RegisteredClaims) error {
			if c.Expiry == 0 {
				return errors.New("expiry is required")
			}
			return nil
		}),
		validator.WithCustomClaims(func() *scopeClaims { return &scopeClaims{want: target.Scope} }),
	)
	if err != nil {
		return nil, err
	}
	mw, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
	if err != nil {
		return nil, err
	}
	return mw.CheckJWT(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := jwtmiddleware.GetClaims[*validator.ValidatedClaims](r.Context())
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		next(w, r, claims.RegisteredClaims.Subject)
	})), nil
}
