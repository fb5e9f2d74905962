package peerbench

import (
	_ "github.com/MicahParks/keyfunc/v3"
	_ "github.com/appleboy/gin-jwt/v3"
	_ "github.com/auth0/go-jwt-middleware/v3"
	_ "github.com/bearergate/bearergate/middleware"
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/gin-gonic/gin"
	_ "github.com/go-chi/chi/v5"
	_ "github.com/go-chi/jwtauth/v5"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/hashicorp/cap/jwt"
	_ "github.com/labstack/echo-jwt/v5"
	_ "github.com/labstack/echo/v5"
	_ "github.com/lestrrat-go/jwx/v3/jwk"
	_ "github.com/stretchr/testify/require"
	_ "github.com/zitadel/oidc/v3/pkg/client/rp"
	_ "github.com/zitadel/oidc/v3/pkg/op"
)
