package peerbench

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// routers mount the middleware before POST /orders, each in its own idiom. The handler answers with the subject.
var routers = []struct {
	name  string
	mount func(auth *middleware.Bearer) http.Handler
}{
	{"net/http", func(auth *middleware.Bearer) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("POST /orders", auth.Require("orders:write")(http.HandlerFunc(subject)))
		return mux
	}},
	{"chi", func(auth *middleware.Bearer) http.Handler {
		r := chi.NewRouter()
		r.With(auth.Require("orders:write")).Post("/orders", subject)
		return r
	}},
	{"echo", func(auth *middleware.Bearer) http.Handler {
		e := echo.New()
		e.POST("/orders", func(c *echo.Context) error {
			token, _ := middleware.FromContext(c.Request().Context())
			return c.String(http.StatusOK, token.Subject())
		}, echo.WrapMiddleware(auth.Require("orders:write")))
		return e
	}},
	{"gin", func(auth *middleware.Bearer) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		r := gin.New()
		r.POST("/orders", wrap(auth.Require("orders:write")), func(c *gin.Context) {
			token, _ := middleware.FromContext(c.Request.Context())
			c.String(http.StatusOK, token.Subject())
		})
		return r
	}},
}

func subject(w http.ResponseWriter, r *http.Request) {
	token, _ := middleware.FromContext(r.Context())
	_, _ = w.Write([]byte(token.Subject()))
}

// wrap makes a gin.HandlerFunc of a net/http middleware.
func wrap(mw func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		mw(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed, c.Request = true, r
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

// 401 for a bad token, 403 for the scope, 400 for a malformed request, 503 when the keys can't be had, and the same words
// in every router.
func TestRoutersAnswerAlike(t *testing.T) {
	for _, row := range []struct {
		name          string
		authorization func(*authtest.Issuer) []string
		down          bool
		status        int
		challenge     string // without its error_description; "" for no WWW-Authenticate
		code          string // error of the body; "" for none
	}{
		{"a good token", bearer(authtest.Scope("orders:write")), false,
			200, ``, ``},
		{"no token", none, false,
			401, `Bearer realm="api1"`, ``},
		{"another scheme", func(*authtest.Issuer) []string { return []string{"Basic YWxpY2U6YWxpY2U="} }, false,
			401, `Bearer realm="api1"`, ``},
		{"an expired token", bearer(authtest.Scope("orders:write"), authtest.Expired), false,
			401, `Bearer realm="api1", error="invalid_token"`, `invalid_token`},
		{"a token for another audience", bearer(authtest.Scope("orders:write"), authtest.Audience("api2")), false,
			401, `Bearer realm="api1", error="invalid_token"`, `invalid_token`},
		{"a token without the scope", bearer(authtest.Scope("orders:read")), false,
			403, `Bearer realm="api1", error="insufficient_scope", scope="orders:write"`, `insufficient_scope`},
		{"two tokens", func(iss *authtest.Issuer) []string { return []string{"Bearer " + iss.Token(), "Bearer " + iss.Token()} }, false,
			400, `Bearer realm="api1", error="invalid_request"`, `invalid_request`},
		{"Bearer and nothing", func(*authtest.Issuer) []string { return []string{"Bearer"} }, false,
			400, `Bearer realm="api1", error="invalid_request"`, `invalid_request`},
		{"a good token, and the issuer is down", bearer(authtest.Scope("orders:write")), true,
			503, ``, `temporarily_unavailable`},
		{"an expired token, and the issuer is down", bearer(authtest.Scope("orders:write"), authtest.Expired), true,
			401, `Bearer realm="api1", error="invalid_token"`, `invalid_token`},
	} {
		for _, router := range routers {
			t.Run(row.name+"/"+router.name, func(t *testing.T) {
				iss := authtest.NewIssuer(t)
				iss.Outage(row.down)
				auth, err := middleware.New(iss.Config("api1"))
				require.NoError(t, err)
				defer auth.Close()

				r := httptest.NewRequest(http.MethodPost, "/orders", nil)
				r.Header["Authorization"] = row.authorization(iss)
				rec := httptest.NewRecorder()
				router.mount(auth).ServeHTTP(rec, r)

				assert.Equal(t, row.status, rec.Code)
				if row.status == http.StatusOK {
					assert.Equal(t, "alice", rec.Body.String())
					return
				}
				challenge := rec.Result().Header.Get("WWW-Authenticate")
				assert.Equal(t, row.challenge, description.ReplaceAllString(challenge, ""))
				assert.Equal(t, row.status == http.StatusServiceUnavailable, rec.Result().Header.Get("Retry-After") != "", "Retry-After")
				assert.Equal(t, "no-store", rec.Result().Header.Get("Cache-Control"))
				var answer struct{ Error string }
				if row.code != "" {
					assert.Equal(t, "application/json", rec.Result().Header.Get("Content-Type"))
					require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &answer))
				}
				assert.Equal(t, row.code, answer.Error)
			})
		}
	}
}

// description is the free text of a challenge.
var description = regexp.MustCompile(`, error_description="[^"]*"`)

func none(*authtest.Issuer) []string { return nil }

// bearer mints a token and presents it.
func bearer(mods ...authtest.Mod) func(*authtest.Issuer) []string {
	return func(iss *authtest.Issuer) []string { return []string{"Bearer " + iss.Token(mods...)} }
}
