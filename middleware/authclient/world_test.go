package authclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

const (
	apiURL   = "https://api.example"
	tokenURL = "https://issuer.example/token"

	invalidToken = `Bearer realm="api", error="invalid_token", error_description="The token has expired"`
)

// roundTripper is an http.RoundTripper made of a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// call is one request to an API.
type call struct{ method, url, authorization, body string }

// world is an authorization server and all APIs, in process. The n-th access token is at-n, with the refresh token
// rt-n. The login returns at-1 and rt-1. Refresh tokens rotate, with a grace period of 10 s.
type world struct {
	// refresh, if not nil, answers the n-th refresh request, unless it returns neither a response nor an error. api
	// likewise answers requests to APIs, unless it returns nil.
	refresh func(n int, r *http.Request, form url.Values) (*http.Response, error)
	api     func(r *http.Request) *http.Response

	lifetime  time.Duration // of an access token
	acceptFor time.Duration // how long after its expiry the API accepts one

	mu        sync.Mutex
	begin     time.Time
	expiry    map[string]time.Time // of access tokens
	spent     map[string]time.Time // refresh tokens, by the time when they were superseded
	latest    int
	calls     []call
	refreshes []time.Time
	forms     []url.Values
	headers   []http.Header
}

func newWorld() *world {
	w := &world{lifetime: time.Hour, expiry: make(map[string]time.Time), spent: make(map[string]time.Time), begin: time.Now(), latest: 1}
	return w
}

// login returns the token of the login.
func (w *world) login() *oauth2.Token {
	expiry := time.Now().Add(w.lifetime)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expiry["at-1"] = expiry
	return &oauth2.Token{AccessToken: "at-1", TokenType: "Bearer", RefreshToken: "rt-1", Expiry: expiry, ExpiresIn: int64(w.lifetime / time.Second)}
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	var body string
	if r.Body != nil {
		data, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		body = string(data)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.URL.String() == tokenURL {
		return w.token(r, body)
	}
	w.mu.Lock()
	w.calls = append(w.calls, call{r.Method, r.URL.String(), r.Header.Get("Authorization"), body})
	w.mu.Unlock()
	if w.api != nil {
		if resp := w.api(r); resp != nil {
			resp.Request = r
			return resp, nil
		}
	}
	resp := response(200, "hello "+body)
	if !w.accepts(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
		resp = response(401, "rejected", "WWW-Authenticate", invalidToken)
	}
	resp.Request = r
	return resp, nil
}

func (w *world) accepts(token string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	expiry, known := w.expiry[token]
	return known && time.Now().Before(expiry.Add(w.acceptFor))
}

// revoke makes the API reject every token issued so far.
func (w *world) revoke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.expiry)
}

func (w *world) token(r *http.Request, body string) (*http.Response, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.refreshes = append(w.refreshes, time.Now())
	w.forms = append(w.forms, form)
	w.headers = append(w.headers, r.Header.Clone())
	n := len(w.refreshes)
	w.mu.Unlock()
	if w.refresh != nil {
		if resp, err := w.refresh(n, r, form); resp != nil || err != nil {
			return resp, err
		}
	}
	return w.rotate(form.Get("refresh_token")), nil
}

// rotate answers a refresh request with that refresh token.
func (w *world) rotate(presented string) *http.Response {
	w.mu.Lock()
	defer w.mu.Unlock()
	current := fmt.Sprintf("rt-%d", w.latest)
	if at, superseded := w.spent[presented]; superseded && time.Since(at) > 10*time.Second || !superseded && presented != current {
		return response(400, `{"error":"invalid_grant","error_description":"refresh token is no longer valid"}`)
	} else if !superseded {
		w.spent[current] = time.Now()
		w.latest++
	}
	access := fmt.Sprintf("at-%d", w.latest)
	w.expiry[access] = time.Now().Add(w.lifetime)
	answer, _ := json.Marshal(map[string]any{
		"access_token":  access,
		"token_type":    "bearer",
		"expires_in":    int64(w.lifetime / time.Second),
		"refresh_token": fmt.Sprintf("rt-%d", w.latest),
	})
	return response(200, string(answer), "Content-Type", "application/json")
}

// refreshed returns the number of refresh requests.
func (w *world) refreshed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.refreshes)
}

// called returns the number of requests to APIs.
func (w *world) called() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

// sent returns the tokens that were sent to APIs, in order; "" means a request without one.
func (w *world) sent() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, c := range w.calls {
		all = append(all, strings.TrimPrefix(c.authorization, "Bearer "))
	}
	return all
}

// oauthConfig returns the client of the tests.
func oauthConfig() *oauth2.Config {
	return &oauth2.Config{
		ClientID:     "mvc client",
		ClientSecret: "mvc secret",
		Endpoint:     oauth2.Endpoint{TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInHeader},
	}
}

// config returns the Config of the world's API.
func (w *world) config() *authclient.Config {
	cfg := authclient.NewConfig(oauthConfig(), apiURL)
	cfg.Base = w
	return cfg
}

// transport returns a Transport for the world's API, after a login.
func (w *world) transport(t *testing.T, mods ...func(*authclient.Config)) *authclient.Transport {
	t.Helper()
	cfg := w.config()
	for _, mod := range mods {
		mod(cfg)
	}
	transport, err := authclient.New(cfg, w.login())
	require.NoError(t, err)
	return transport
}

// get calls the API and returns the status.
func get(t *testing.T, rt http.RoundTripper) int {
	t.Helper()
	status, err := tryGet(context.Background(), rt)
	require.NoError(t, err)
	return status
}

// tryGet calls the API and returns the status, or 0 and an error.
func tryGet(ctx context.Context, rt http.RoundTripper) (int, error) {
	return do(ctx, rt, http.MethodGet, apiURL+"/identity", nil)
}

func do(ctx context.Context, rt http.RoundTripper, method, target string, body io.Reader) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return 0, err
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// response returns a response. The headers are pairs of name and value.
func response(status int, body string, header ...string) *http.Response {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        h,
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}
