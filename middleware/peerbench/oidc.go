package peerbench

import (
	"context"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
	cap "github.com/hashicorp/cap/jwt"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// newGoOIDC sets up go-oidc's verifier with the audience as its client. It is made for ID tokens and often used for access
// tokens.
func newGoOIDC(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, target.Client), target.Issuer)
	if err != nil {
		return nil, err
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: target.Audience, SupportedSigningAlgs: target.Algorithms})
	return library(next, func(ctx context.Context, raw string) (string, error) {
		token, err := verifier.Verify(ctx, raw)
		if err != nil {
			return "", err
		}
		return token.Subject, nil
	}), nil
}

// newCap is hashicorp/cap's jwt package.
func newCap(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	set, err := cap.NewOIDCDiscoveryKeySet(oidc.ClientContext(ctx, target.Client), target.Issuer, "")
	if err != nil {
		return nil, err
	}
	v, err := cap.NewValidator(set)
	if err != nil {
		return nil, err
	}
	expected := cap.Expected{Issuer: target.Issuer, Audiences: []string{target.Audience}}
	for _, a := range target.Algorithms {
		expected.SigningAlgorithms = append(expected.SigningAlgorithms, cap.Alg(a))
	}
	return library(next, func(ctx context.Context, raw string) (string, error) {
		claims, err := v.Validate(ctx, raw, expected)
		if err != nil {
			return "", err
		}
		subject, _ := claims["sub"].(string)
		return subject, nil
	}), nil
}

// newZitadel is zitadel/oidc's verifier of access tokens. It has no option for the audience.
func newZitadel(_ context.Context, target Target, next Handler) (http.Handler, error) {
	v := op.NewAccessTokenVerifier(target.Issuer, rp.NewRemoteKeySet(target.Client, target.KeySetURL),
		op.WithSupportedAccessTokenSigningAlgorithms(target.Algorithms...))
	return library(next, func(ctx context.Context, raw string) (string, error) {
		claims, err := op.VerifyAccessToken[*zitadel.AccessTokenClaims](ctx, raw, v)
		if err != nil {
			return "", err
		}
		return claims.Subject, nil
	}), nil
}
