package peerbench

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	ginjwt "github.com/appleboy/gin-jwt/v3"
	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v5"
	"github.com/labstack/echo/v5"
)

// keys calls keyfunc's NewDefaultCtx, with its defaults and the target's HTTP client.
func keys(ctx context.Context, target Target) (keyfunc.Keyfunc, error) {
	return keyfunc.NewDefaultOverrideCtx(ctx, []string{target.KeySetURL}, keyfunc.Override{Client: target.Client})
}

// parserOptions are what golang-jwt can check about iss, aud, exp and alg.
func parserOptions(target Target) []jwt.ParserOption {
	return []jwt.ParserOption{
		jwt.WithValidMethods(target.Algorithms),
		jwt.WithIssuer(target.Issuer),
		jwt.WithAudience(target.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
	}
}

// newGolangJWT sets up golang-jwt with keyfunc, without a framework.
func newGolangJWT(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	k, err := keys(ctx, target)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(parserOptions(target)...)
	return library(next, func(ctx context.Context, raw string) (string, error) {
		var claims jwt.RegisteredClaims
		_, err := parser.ParseWithClaims(raw, &claims, k.KeyfuncCtx(ctx))
		return claims.Subject, err
	}), nil
}

// newEchoJWT is echo's middleware. Its KeyFunc alone would check neither iss nor aud nor alg, so its ParseTokenFunc is used,
// with golang-jwt's options.
func newEchoJWT(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	k, err := keys(ctx, target)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(parserOptions(target)...)
	e := echo.New()
	e.Use(echojwt.WithConfig(echojwt.Config{
		ParseTokenFunc: func(c *echo.Context, raw string) (any, error) {
			return parser.ParseWithClaims(raw, jwt.MapClaims{}, k.KeyfuncCtx(c.Request().Context()))
		},
	}))
	e.GET("/orders", func(c *echo.Context) error {
		token, err := echo.ContextGet[*jwt.Token](c, "user")
		if err != nil {
			return echo.ErrUnauthorized.Wrap(err)
		}
		subject, err := token.Claims.GetSubject()
		if err != nil {
			return echo.ErrUnauthorized.Wrap(err)
		}
		next(c.Response(), c.Request(), subject)
		return nil
	})
	return e, nil
}

// newGinJWT is gin's middleware with a KeyFunc, golang-jwt's options and, for the scope, an Authorizer.
func newGinJWT(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	k, err := keys(ctx, target)
	if err != nil {
		return nil, err
	}
	mw, err := ginjwt.New(&ginjwt.GinJWTMiddleware{
		Realm:        target.Audience,
		IdentityKey:  "sub",
		KeyFunc:      k.Keyfunc,
		ParseOptions: parserOptions(target),
		Authorizer: func(c *gin.Context, _ any) bool {
			scope, _ := ginjwt.ExtractClaims(c)["scope"].(string)
			return target.Scope == "" || slices.Contains(strings.Fields(scope), target.Scope)
		},
	})
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(mw.MiddlewareFunc())
	router.GET("/orders", func(c *gin.Context) {
		subject, _ := ginjwt.ExtractClaims(c)["sub"].(string)
		next(c.Writer, c.Request, subject)
	})
	return router, nil
}
