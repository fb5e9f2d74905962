package webclient_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/examples/internal/browser"
	"github.com/bearergate/bearergate/examples/internal/issuer"
	"github.com/bearergate/bearergate/examples/internal/webclient"
)

// A world is an authorization server, an API whose answer the test chooses, and the web client.
type world struct {
	issuer   *issuer.Issuer
	url      string // the web client's
	api      atomic.Pointer[http.HandlerFunc]
	apiCalls atomic.Int64
	events   sync.Map // kind of an authorization server's event -> *atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	serve := func(h http.Handler) *httptest.Server {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv
	}
	var front, back http.Handler
	clientServer := serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { front.ServeHTTP(rw, r) }))
	issuerServer := serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { back.ServeHTTP(rw, r) }))
	apiServer := serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.apiCalls.Add(1)
		(*w.api.Load())(rw, r)
	}))
	w.url = clientServer.URL
	w.answer(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, `{"sub":"alice"}`) })

	data := issuer.Demo()
	data.Clients[0].RedirectURIs = []string{w.url + "/signin-oidc"}
	var err error
	w.issuer, err = issuer.New(issuer.Options{
		Issuer: issuerServer.URL, Alg: "ES256", AccessTokenLifetime: time.Minute, RefreshTokenLifetime: time.Hour,
		RefreshGrace: 10 * time.Second, KeyRotation: time.Hour, Data: &data,
		OnEvent: func(_ context.Context, e authserver.Event) {
			counter, _ := w.events.LoadOrStore(e.Kind, new(atomic.Int64))
			counter.(*atomic.Int64).Add(1)
		},
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	back = w.issuer.Handler()

	app, err := webclient.New(webclient.Options{
		Issuer: issuerServer.URL, API: apiServer.URL, ClientID: "mvc client", ClientSecret: "mvc secret",
		Scope: "openid profile email phone address api1 offline_access",
	}, clientServer.Listener.Addr(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = app.Close() })
	front = app
	return w
}

func (w *world) answer(h http.HandlerFunc) { w.api.Store(&h) }

func (w *world) count(kind string) int64 {
	counter, ok := w.events.Load(kind)
	if !ok {
		return 0
	}
	return counter.(*atomic.Int64).Load()
}

// signIn returns the browser of a person who has signed in.
func (w *world) signIn(t *testing.T) *browser.Browser {
	t.Helper()
	b := browser.New(nil)
	page, err := b.Get(t.Context(), w.url+"/login")
	require.NoError(t, err)
	page, err = b.Submit(t.Context(), page, map[string]string{"username": "alice", "password": "alice"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.Contains(t, page.Body, "Signed in as <strong>alice</strong>")
	return b
}

// refuseFirst is an API for which the first token it sees has expired, and every later one is good.
func refuseFirst() http.HandlerFunc {
	var first atomic.Pointer[string]
	return func(w http.ResponseWriter, r *http.Request) {
		bearer := r.Header.Get("Authorization")
		first.CompareAndSwap(nil, &bearer)
		if *first.Load() == bearer {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="The access token expired"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"sub":"alice"}`)
	}
}

func TestA401IsRenewedAndReplayedOnce(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t)
	w.answer(refuseFirst())
	w.apiCalls.Store(0)
	page, err := b.Get(t.Context(), w.url+"/")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, page.Status)
	assert.Contains(t, page.Body, "Signed in as <strong>alice</strong>")
	assert.EqualValues(t, 2, w.apiCalls.Load(), "the refused call and its replay")
	assert.EqualValues(t, 1, w.count("refresh.rotated"))
}

func TestAnAPIThatAlwaysSays401EndsInOneRenewal(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t)
	w.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		rw.WriteHeader(http.StatusUnauthorized)
	})
	w.apiCalls.Store(0)
	page, err := b.Get(t.Context(), w.url+"/")
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadGateway, page.Status)
	assert.Contains(t, page.Body, "Api1 answered 401 Unauthorized.")
	assert.EqualValues(t, 2, w.apiCalls.Load(), "no loop")
	w.answer(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, `{"sub":"alice"}`) })
	page, err = b.Get(t.Context(), w.url+"/")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, page.Status, "the API was wrong: the session lives on")
}

func TestTwoTabsAtExpiryBothSucceed(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t)
	w.answer(refuseFirst())
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			page, err := b.Get(t.Context(), w.url+"/")
			if assert.NoError(t, err) {
				assert.Equal(t, http.StatusOK, page.Status)
			}
		})
	}
	wait.Wait()
	assert.EqualValues(t, 1, w.count("refresh.rotated"), "one refresh for both")
}

func TestOtherFailuresShowStatusAndReason(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t)
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		shown  string
	}{
		{"forbidden", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) }, "Api1 answered 403 Forbidden."},
		{"broken", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) }, "Api1 answered 500 Internal Server Error."},
		{"keys unavailable", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) }, "Api1 answered 503 Service Unavailable."},
		{"not JSON", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "<p>") }, "Api1 did not answer with JSON."},
		{"gone", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "Api1 could not be reached."},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.answer(row.answer)
			page, err := b.Get(t.Context(), w.url+"/")
			require.NoError(t, err)
			assert.Equal(t, http.StatusBadGateway, page.Status)
			assert.Contains(t, page.Body, row.shown)
		})
	}
	w.answer(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, `{"sub":"alice"}`) })
	page, err := b.Get(t.Context(), w.url+"/")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, page.Status, "none of them cost the session")
}

func TestASessionThatTheServerEnded(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t)
	_, err := w.issuer.Revoke(t.Context(), authserver.Selector{Subject: "alice"}, "admin")
	require.NoError(t, err)
	w.answer(refuseFirst())
	page, err := b.Get(t.Context(), w.url+"/")
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, page.Status)
	assert.Contains(t, page.Body, "Your session has ended. Please sign in again.")
	page, err = b.Get(t.Context(), w.url+"/")
	require.NoError(t, err)
	assert.NotContains(t, page.Body, "Signed in as")
}

func TestLogoutForgetsTheSession(t *testing.T) {
	w := newWorld(t)
	b := w.signIn(t)
	alive, err := w.issuer.Grants(t.Context(), authserver.Selector{Subject: "alice"})
	require.NoError(t, err)
	require.Len(t, alive, 1)
	_, err = b.Get(t.Context(), w.url+"/logout")
	require.NoError(t, err)
	alive, err = w.issuer.Grants(t.Context(), authserver.Selector{Subject: "alice"})
	require.NoError(t, err)
	assert.Empty(t, alive, "the refresh token is revoked, too")
	page, err := b.Get(t.Context(), w.url+"/")
	require.NoError(t, err)
	assert.NotContains(t, page.Body, "Signed in as")
	assert.Contains(t, page.Body, "Sign in")
}

// What comes back to /signin-oidc must be the answer to a question that this browser asked.
func TestAnswersThatAreRefused(t *testing.T) {
	w := newWorld(t)
	begin := func(t *testing.T) (client *http.Client, state string) {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := client.Get(w.url + "/login")
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		location, err := response.Location()
		require.NoError(t, err)
		query := location.Query()
		assert.Equal(t, "S256", query.Get("code_challenge_method"))
		assert.NotEmpty(t, query.Get("nonce"))
		for _, cookie := range response.Cookies() {
			assert.True(t, cookie.HttpOnly)
			assert.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
		}
		return client, query.Get("state")
	}
	for _, row := range []struct {
		name   string
		query  func(state string) url.Values
		status int
		shown  string
	}{
		{"without state", func(string) url.Values { return url.Values{"code": {"c"}} }, http.StatusBadRequest, "started elsewhere or took too long"},
		{"another state", func(s string) url.Values { return url.Values{"code": {"c"}, "state": {s + "x"}} }, http.StatusBadRequest, "started elsewhere or took too long"},
		{"an error", func(s string) url.Values { return url.Values{"error": {"access_denied"}, "state": {s}} }, http.StatusForbidden, "refused: access_denied"},
		{"an error with markup", func(s string) url.Values { return url.Values{"error": {"<script>"}, "state": {s}} }, http.StatusForbidden, "&lt;script&gt;"},
		{"another issuer", func(s string) url.Values {
			return url.Values{"code": {"c"}, "state": {s}, "iss": {"https://evil.example"}}
		}, http.StatusBadRequest, "another authorization server"},
		{"a code that is none", func(s string) url.Values { return url.Values{"code": {"c"}, "state": {s}} }, http.StatusBadGateway, "(invalid_grant)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, state := begin(t)
			response, err := client.Get(w.url + "/signin-oidc?" + row.query(state).Encode())
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, row.status, response.StatusCode)
			assert.Contains(t, string(body), row.shown)
			assert.Empty(t, strings.TrimSpace(response.Header.Get("Location")))
		})
	}
	t.Run("in another browser", func(t *testing.T) {
		_, state := begin(t)
		page, err := browser.New(nil).Get(t.Context(), w.url+"/signin-oidc?"+url.Values{"code": {"c"}, "state": {state}}.Encode())
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, page.Status)
	})
}

// What the client does with discovery documents, and where it sends the code.
func TestDiscovery(t *testing.T) {
	for _, row := range []struct {
		name     string
		document func(base string) (int, string)
		status   int
		shown    string
	}{
		{"an error", func(string) (int, string) { return 503, "" }, http.StatusBadGateway, "The authorization server could not be reached."},
		{"not JSON", func(string) (int, string) { return 200, "<html>" }, http.StatusBadGateway, "The authorization server could not be reached."},
		{"another issuer's", func(string) (int, string) {
			return 200, `{"issuer":"https://evil.example","authorization_endpoint":"https://evil.example/a","token_endpoint":"https://evil.example/t"}`
		}, http.StatusBadGateway, "The authorization server could not be reached."},
		{"without a token endpoint", func(base string) (int, string) {
			return 200, `{"issuer":"` + base + `","authorization_endpoint":"` + base + `/a"}`
		}, http.StatusBadGateway, "The authorization server could not be reached."},
		{"with endpoints at unusual paths", func(base string) (int, string) {
			return 200, `{"issuer":"` + base + `","authorization_endpoint":"` + base + `/go/here","token_endpoint":"` + base + `/some/where"}`
		}, http.StatusFound, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var base string
			asked := ""
			as := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/.well-known/openid-configuration" {
					asked = r.URL.Path
					http.Error(rw, `{"error":"invalid_grant"}`, http.StatusBadRequest)
					return
				}
				status, text := row.document(base)
				rw.WriteHeader(status)
				_, _ = io.WriteString(rw, text)
			}))
			defer as.Close()
			base = as.URL
			addr := httptest.NewUnstartedServer(nil).Listener
			defer addr.Close()
			app, err := webclient.New(webclient.Options{Issuer: base + "/", API: "http://127.0.0.1:1", ClientID: "c", ClientSecret: "s"},
				addr.Addr(), slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			defer app.Close()
			rec := httptest.NewRecorder()
			app.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/login", nil))
			assert.Equal(t, row.status, rec.Code)
			assert.Contains(t, rec.Body.String(), row.shown)
			if row.status != http.StatusFound {
				return
			}
			location, err := rec.Result().Location()
			require.NoError(t, err)
			assert.Equal(t, "/go/here", location.Path)
			back := httptest.NewRequest(http.MethodGet, "/signin-oidc?code=c&state="+location.Query().Get("state"), nil)
			for _, cookie := range rec.Result().Cookies() {
				back.AddCookie(cookie)
			}
			app.ServeHTTP(httptest.NewRecorder(), back)
			assert.Equal(t, "/some/where", asked, "the code goes to the token endpoint that was discovered")
		})
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	addr := httptest.NewServer(nil)
	defer addr.Close()
	for _, row := range []struct {
		name    string
		options webclient.Options
		names   string
	}{
		{"no issuer", webclient.Options{API: "http://127.0.0.1:1", ClientID: "c"}, "-issuer"},
		{"an issuer that is no URL", webclient.Options{Issuer: "somewhere", API: "http://127.0.0.1:1", ClientID: "c"}, "-issuer"},
		{"an API that is no URL", webclient.Options{Issuer: "http://127.0.0.1:1", API: "ftp://x", ClientID: "c"}, "-api"},
		{"an API elsewhere by http", webclient.Options{Issuer: "http://127.0.0.1:1", API: "http://api.example", ClientID: "c"}, "-api"},
		{"an API by http that only some resolvers find on this machine", webclient.Options{Issuer: "http://127.0.0.1:1", API: "http://127.1", ClientID: "c"}, "-api"},
		{"an API by http on loopback, in capitals, and no client", webclient.Options{Issuer: "http://127.0.0.1:1", API: "http://LOCALHOST:1"}, "-client-id"},
		{"an issuer elsewhere by http", webclient.Options{Issuer: "http://login.example", API: "http://127.0.0.1:1", ClientID: "c"}, "-issuer"},
		{"a scope that is none", webclient.Options{Issuer: "http://127.0.0.1:1", API: "http://127.0.0.1:1", ClientID: "c", Scope: `a"b`}, "-scope"},
		{"no client", webclient.Options{Issuer: "http://127.0.0.1:1", API: "http://127.0.0.1:1"}, "-client-id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := webclient.New(row.options, addr.Listener.Addr(), slog.New(slog.DiscardHandler))
			assert.ErrorContains(t, err, row.names)
		})
	}
}
