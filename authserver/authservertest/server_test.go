package authservertest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/authservertest"
	"github.com/bearergate/bearergate/middleware"
)

var inProcess = authservertest.WithConfig(func(*authserver.Config) {}) // the default

// code returns the OAuth code of a refusal.
func code(t *testing.T, err error) string {
	t.Helper()
	var r *authservertest.Refusal
	require.ErrorAs(t, err, &r)
	return r.Code
}

func kinds(events []authserver.Event) (out []string) {
	for _, e := range events {
		out = append(out, e.Kind)
	}
	return out
}

func TestSignInAtEveryClientOfTheBeginning(t *testing.T) {
	for _, option := range []authservertest.Option{inProcess,
		authservertest.Loopback()} {
		as := authservertest.New(t, option)
		for _, client := range []string{"mvc client", "spa"} {
			tokens := as.SignIn(client)
			assert.NotEmpty(t, tokens.IDToken)
			assert.Equal(t, 5*time.Minute, tokens.ExpiresIn)
			next, err := as.Refresh(client, tokens.RefreshToken, "api1")
			require.NoError(t, err)
			assert.NotEqual(t, tokens.RefreshToken, next.RefreshToken)
			assert.Equal(t, "api1", next.Scope)
			about, err := as.Introspect("worker", next.AccessToken)
			require.NoError(t, err)
			assert.Equal(t, "alice-1", about["sub"])
		}
		own, err := as.Token("worker", url.Values{"grant_type": {"client_credentials"}})
		require.NoError(t, err)
		assert.Equal(t, "api1 read write", own.Scope)
	}
}

func TestAnAPITakesTheTokensUntilTheClockSaysOtherwise(t *testing.T) {
	as := authservertest.New(t)
	cfg := as.Config("api1")
	cfg.ClockSkew = 0
	api, err := middleware.New(cfg)
	require.NoError(t, err)
	call := func(token string) int {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		api.Require("read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(rec, r)
		return rec.Code
	}
	tokens := as.SignIn("spa", "api1", "read")
	assert.Empty(t, tokens.RefreshToken, "offline_access was not asked for")
	assert.Equal(t, 200, call(tokens.AccessToken))
	assert.Equal(t, 403, call(as.SignIn("spa", "api1").AccessToken))
	as.Advance(5 * time.Minute)
	assert.Equal(t, 401, call(tokens.AccessToken))
}

func TestClientsAndUsersOfTheTestsOwn(t *testing.T) {
	as := authservertest.New(t,
		authservertest.WithClient(authserver.Client{ID: "shop", GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{"https://shop.example/cb"},
			Scopes: []string{"openid", "orders"}}, "shop secret"),
		authservertest.WithUser(authserver.User{Subject: "bob-2", Username: "bob"}, "builder"),
		authservertest.WithConfig(func(cfg *authserver.Config) {
			cfg.Resources["https://orders.example"] = []string{"orders"}
			cfg.AccessTokenLifetime = time.Minute
		}))
	tokens := as.SignInAs("bob", "shop")
	assert.Equal(t, time.Minute, tokens.ExpiresIn)
	v, err := middleware.NewValidator(as.Config("https://orders.example"))
	require.NoError(t, err)
	token, err := v.Validate(t.Context(), tokens.AccessToken)
	require.NoError(t, err)
	assert.Equal(t, "bob-2", token.Subject())
	assert.Equal(t, []string{"login.succeeded", "token.issued"}, kinds(as.Events()))
	assert.Empty(t, as.Events(), "told once")
}

// Each fault at a refresh: what the client sees, and that it gets on with the same refresh token.
func TestFaults(t *testing.T) {
	for _, row := range []struct {
		name  string
		fault func(*authservertest.Server)
		code  string // "": the connection breaks
		then  string // the event of the retry
	}{
		{"the answer is lost", func(s *authservertest.Server) { s.DropAnswers(1) }, "", "refresh.replayed"},
		{"the key fails", func(s *authservertest.Server) { s.FailSigning(true) }, "temporarily_unavailable", "refresh.rotated"},
		{"the store fails and has done nothing", func(s *authservertest.Server) { s.FailBeforeCommit(1) }, "temporarily_unavailable", "refresh.rotated"},
		{"the store fails and has done it", func(s *authservertest.Server) { s.FailAfterCommit(1) }, "temporarily_unavailable", "refresh.replayed"},
	} {
		for name, option := range map[string]authservertest.Option{"in process": inProcess, "loopback": authservertest.Loopback()} {
			t.Run(row.name+", "+name, func(t *testing.T) {
				as := authservertest.New(t, option)
				tokens := as.SignIn("spa")
				row.fault(as)
				_, err := as.Refresh("spa", tokens.RefreshToken)
				require.Error(t, err)
				if row.code != "" {
					assert.Equal(t, row.code, code(t, err))
				}
				as.FailSigning(false)
				as.Events()
				next, err := as.Refresh("spa", tokens.RefreshToken)
				require.NoError(t, err)
				assert.Equal(t, []string{row.then}, kinds(as.Events()))
				_, err = as.Refresh("spa", next.RefreshToken)
				assert.NoError(t, err)
			})
		}
	}
}

func TestALostAnswerBreaksTheConnectionOnLoopback(t *testing.T) {
	as := authservertest.New(t, authservertest.Loopback())
	tokens := as.SignIn("spa")
	as.DropAnswers(1)
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {tokens.RefreshToken}}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	_, err := c.PostForm(as.Issuer()+"/token", form)
	require.Error(t, err)
	res, err := c.PostForm(as.Issuer()+"/token", form)
	require.NoError(t, err)
	assert.NoError(t, res.Body.Close())
	assert.Equal(t, 200, res.StatusCode)
}

// A rollback does the writes again that stay, also one that is just returning what it has counted.
func TestRollbackBesideRevocations(t *testing.T) {
	as := authservertest.New(t)
	as.SignIn("spa")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			as.Rollback(0)
		}
	}()
	for range 200 {
		_, err := as.Revoke(t.Context(), authserver.Selector{Subject: "nobody"}, "user")
		assert.NoError(t, err)
	}
	<-done
}

func TestRollback(t *testing.T) {
	as := authservertest.New(t)
	first := as.SignIn("spa")
	second, err := as.Refresh("spa", first.RefreshToken)
	require.NoError(t, err)
	as.Rollback(1)
	as.Events()
	_, err = as.Refresh("spa", second.RefreshToken)
	assert.Equal(t, "invalid_grant", code(t, err))
	assert.Contains(t, kinds(as.Events()), "store.rollback")
	again, err := as.Refresh("spa", first.RefreshToken)
	require.NoError(t, err)
	assert.Equal(t, second.RefreshToken, again.RefreshToken, "the same generation, so the same token")
	as.Rollback(100)
	_, err = as.Refresh("spa", first.RefreshToken)
	assert.Equal(t, "invalid_grant", code(t, err), "nothing is left")
}

func TestHTTPClientStaysAtHome(t *testing.T) {
	as := authservertest.New(t)
	res, err := as.HTTPClient().Get(as.Issuer() + "/.well-known/openid-configuration")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, 200, res.StatusCode)
	_, err = as.HTTPClient().Post("https://elsewhere.example", "text/plain", strings.NewReader("x"))
	assert.ErrorContains(t, err, "neither the issuer nor on loopback")
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	res, err = as.HTTPClient().Get(api.URL)
	require.NoError(t, err)
	assert.NoError(t, res.Body.Close())
}

// fake records how a test ends.
type fake struct {
	testing.TB
	said string
}

func (*fake) Helper()        {}
func (*fake) Cleanup(func()) {}
func (f *fake) Fatal(args ...any) {
	f.said, _ = args[0].(string)
	panic(f)
}

func TestWhatEndsATest(t *testing.T) {
	broken := authservertest.WithConfig(func(cfg *authserver.Config) { cfg.RefreshKeys = nil })
	ownStore := authservertest.WithConfig(func(cfg *authserver.Config) { cfg.Store = authserver.NewMemoryStore() })
	ownKeys := authservertest.WithConfig(func(cfg *authserver.Config) { cfg.Keys = authservertest.New(nil).Keys() })
	for want, act := range map[string]func(*fake){
		"RefreshKeys is empty":      func(f *fake) { authservertest.New(f, broken) },
		"no client \"nobody\"":      func(f *fake) { authservertest.New(f).SignIn("nobody") },
		"ended with 403":            func(f *fake) { authservertest.New(f).SignInAs("mallory", "spa") },
		"invalid_scope":             func(f *fake) { authservertest.New(f).SignIn("spa", "nonsense") },
		"needs the server's own st": func(f *fake) { authservertest.New(f, ownStore).Rollback(1) },
		"needs the server's own ke": func(f *fake) { authservertest.New(f, ownKeys).FailSigning(true) },
	} {
		f := &fake{}
		assert.Panics(t, func() { act(f) })
		assert.Contains(t, f.said, want)
	}
}
