package api1_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/authservertest"
	"github.com/bearergate/bearergate/examples/internal/api1"
)

// A world is an authorization server and Api1, which follows its revocations, in a bubble: time is virtual.
type world struct {
	t    *testing.T
	as   *authservertest.Server
	api  *api1.API
	down atomic.Bool // the list is unavailable; everything else is not
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.down.Load() && r.URL.Path == "/revoked" {
		return nil, errors.New("connection refused")
	}
	return w.as.HTTPClient().Transport.RoundTrip(r)
}

func inBubble(t *testing.T, change func(*world, *api1.Options), test func(*world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t}
		w.as = authservertest.New(t,
			authservertest.WithClient(authserver.Client{ID: "api1", Serves: []string{"api1"}}, "api1 secret"),
			authservertest.WithConfig(func(cfg *authserver.Config) {
				cfg.Now, cfg.AccessTokenLifetime = time.Now, time.Hour
			}))
		o := api1.Options{
			Issuer: w.as.Issuer(), Audience: "api1", Skew: time.Minute, RequireExp: true, Realm: "api1", Client: &http.Client{Transport: w},
			RevocationList: true, RevocationListClient: "api1", RevocationListSecret: "api1 secret", WhenStale: "reject",
		}
		change(w, &o)
		var err error
		w.api, err = api1.New(o, "http://127.0.0.1:5001", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.api.Run(ctx) }()
		test(w)
		cancel()
		assert.ErrorIs(t, <-ended, context.Canceled)
		assert.NoError(t, w.api.Close())
	})
}

// ask sends a request, with a token or without one.
func (w *world) ask(path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec
}

func (w *world) identity(tokens *authserver.Tokens) int {
	return w.ask("/identity", tokens.AccessToken).Code
}

// revoke revokes the grant of a refresh token, as a client does when its user signs out.
func (w *world) revoke(tokens *authserver.Tokens) {
	res, err := w.as.HTTPClient().PostForm(w.as.Issuer()+"/revoke", url.Values{"client_id": {"spa"}, "token": {tokens.RefreshToken}})
	require.NoError(w.t, err)
	defer res.Body.Close()
	require.Equal(w.t, http.StatusOK, res.StatusCode)
}

// poll lets time pass until the list was asked for again.
func poll() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

// An access token of a revoked grant is rejected within one poll; others are still accepted.
func TestARevokedSessionIsRefused(t *testing.T) {
	inBubble(t, func(*world, *api1.Options) {}, func(w *world) {
		gone, stays := w.as.SignIn("spa"), w.as.SignIn("spa")
		require.Equal(w.t, 200, w.ask("/readyz", "").Code)
		assert.Equal(w.t, 200, w.identity(gone))
		renewed, err := w.as.Refresh("spa", gone.RefreshToken)
		require.NoError(w.t, err)
		assert.Equal(w.t, 200, w.identity(renewed))

		w.revoke(renewed)
		poll()
		for _, tokens := range []*authserver.Tokens{gone, renewed} { // all that the grant ever had
			answer := w.ask("/identity", tokens.AccessToken)
			assert.Equal(w.t, 401, answer.Code)
			assert.Contains(w.t, answer.Header().Get("WWW-Authenticate"), `error="invalid_token"`)
		}
		assert.Equal(w.t, 200, w.identity(stays))
		again := w.as.SignIn("spa")
		poll()
		assert.Equal(w.t, 200, w.identity(again), "the same user's next grant")

		time.Sleep(2 * time.Hour) // with polls that bring nothing new, and entries that end
		synctest.Wait()
		assert.Equal(w.t, 401, w.identity(gone), "expired by now")
		assert.Equal(w.t, 200, w.identity(w.as.SignIn("spa")))
	})
}

// An API that starts after the revocation knows of it before it is ready.
func TestARevocationFromBeforeTheStart(t *testing.T) {
	inBubble(t, func(w *world, _ *api1.Options) { w.down.Store(true) }, func(w *world) {
		tokens := w.as.SignIn("spa")
		poll()
		answer := w.ask("/readyz", "")
		assert.Equal(w.t, 503, answer.Code)
		assert.Contains(w.t, answer.Body.String(), "no revocation list yet")
		assert.Equal(w.t, 200, w.ask("/healthz", "").Code)
		w.revoke(tokens)
		w.down.Store(false)
		time.Sleep(15 * time.Second)
		require.Equal(w.t, 200, w.ask("/readyz", "").Code)
		assert.Equal(w.t, 401, w.identity(tokens))
	})
}

// The list is unavailable for longer than MaxAge, and comes back.
func TestTheListIsAway(t *testing.T) {
	for _, row := range []struct {
		whenStale string
		status    int
	}{{"reject", 503}, {"accept", 200}} {
		t.Run(row.whenStale, func(t *testing.T) {
			inBubble(t, func(_ *world, o *api1.Options) { o.WhenStale = row.whenStale }, func(w *world) {
				gone, later, stays := w.as.SignIn("spa"), w.as.SignIn("spa"), w.as.SignIn("spa")
				require.Equal(w.t, 200, w.ask("/readyz", "").Code)
				w.revoke(gone)
				poll()
				w.down.Store(true)
				w.revoke(later)
				time.Sleep(50 * time.Second)
				assert.Equal(w.t, 200, w.identity(stays), "not yet stale")
				time.Sleep(15 * time.Second)
				answer := w.ask("/identity", stays.AccessToken)
				assert.Equal(w.t, row.status, answer.Code)
				assert.Equal(w.t, row.status == 503, answer.Header().Get("Retry-After") != "")
				assert.Equal(w.t, row.status, w.identity(later), "its revocation is not known")
				assert.Equal(w.t, 401, w.identity(gone), "what is known is known")
				assert.Equal(w.t, 200, w.ask("/public", "").Code)
				assert.Equal(w.t, 200, w.ask("/readyz", "").Code, "a restart would not help")

				w.down.Store(false)
				time.Sleep(15 * time.Second)
				synctest.Wait()
				assert.Equal(w.t, 200, w.identity(stays), "without a restart")
				assert.Equal(w.t, 401, w.identity(later))
				assert.Equal(w.t, 401, w.identity(gone))
			})
		})
	}
}

// Without the flag nothing is asked for, and a token is good until it expires.
func TestWithoutAList(t *testing.T) {
	inBubble(t, func(_ *world, o *api1.Options) { o.RevocationList = false }, func(w *world) {
		tokens := w.as.SignIn("spa")
		require.Equal(w.t, 200, w.ask("/readyz", "").Code)
		w.revoke(tokens)
		time.Sleep(10 * time.Minute)
		assert.Equal(w.t, 200, w.identity(tokens))
	})
}

// A secret that is wrong is told by readiness, not by silence.
func TestAWrongSecret(t *testing.T) {
	inBubble(t, func(_ *world, o *api1.Options) { o.RevocationListSecret = "another" }, func(w *world) {
		time.Sleep(time.Minute)
		assert.Equal(w.t, 503, w.ask("/readyz", "").Code)
		assert.Equal(w.t, 503, w.identity(w.as.SignIn("spa")))
	})
}
