package authserver_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

const (
	issuer   = "https://login.example"
	mvcID    = "mvc client"
	mvcKey   = "mvc secret"
	mvcBack  = "http://127.0.0.1:5002/signin-oidc"
	spaBack  = "http://127.0.0.1:5003/callback"
	allScope = "api1 openid profile email phone address offline_access"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

var passwords = func() map[string]string { // the cheapest bcrypt there is: the tests sign in often

	m := map[string]string{}
	for _, name := range []string{"alice", "bob"} {
		h, err := bcrypt.GenerateFromPassword([]byte(name), bcrypt.MinCost)
		if err != nil {
			panic(err)
		}
		m[name] = string(h)
	}
	return m
}()

// world is a server with the demo's clients and users, a clock that stands still, and a store that can be made to fail.
type world struct {
	t     testing.TB
	cfg   *authserver.Config
	srv   *authserver.Server
	users *authserver.UserList
	store *faultyStore

	signer      *flakySigner
	refuseIssue error // what BeforeIssue returns, for tests that set it so

	mu     sync.Mutex
	clock  time.Time
	events []authserver.Event
}

func newWorld(t testing.TB, mods ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	users, err := authserver.NewUserList(
		authserver.User{Subject: "alice-1", Username: "alice", PasswordHash: passwords["alice"], Claims: map[string]any{
			"name": "Alice Smith", "email": "alice@example.com", "phone_number": "+1 555 0100",
			"address": map[string]any{"locality": "Wonderland"}}},
		authserver.User{Subject: "bob-2", Username: "bob", PasswordHash: passwords["bob"], Claims: map[string]any{"name": "Bob"}})
	require.NoError(t, err)
	w.users = users
	cfg := authserver.NewConfig(issuer)
	w.store = &faultyStore{Store: cfg.Store}
	cfg.Store = w.store
	cfg.Now = w.now
	cfg.Users = users
	cfg.Resources = map[string][]string{"api1": {"api1"}, "https://files.example": {"files:read", "files:write"}}
	code := []string{"authorization_code", "refresh_token"}
	scopes := strings.Fields(allScope + " files:read files:write")
	cfg.Clients = []authserver.Client{
		{ID: mvcID, Secrets: []authserver.Secret{authserver.HashSecret(mvcKey)}, GrantTypes: code, Scopes: scopes,
			RedirectURIs:            []string{mvcBack, "http://localhost:5002/signin-oidc"},
			PostLogoutRedirectURIs:  []string{"http://127.0.0.1:5002/"},
			DangerouslyOptionalPKCE: true},
		{ID: "spa", GrantTypes: code, Scopes: scopes, RedirectURIs: []string{spaBack}, Origins: []string{"http://127.0.0.1:5003"}},
		{ID: "worker", Secrets: []authserver.Secret{authserver.HashSecret("worker secret")}, GrantTypes: []string{"client_credentials"},
			Scopes: []string{"api1"}, Serves: []string{"api1"}},
	}
	cfg.OnEvent = func(_ context.Context, e authserver.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	w.cfg = cfg
	for _, mod := range mods {
		mod(w)
	}
	if cfg.Keys == nil {
		cfg.Keys, err = jwks.NewRotator(jwks.RotatorConfig{Now: w.now})
		require.NoError(t, err)
	}
	w.srv, err = authserver.New(cfg)
	require.NoError(t, err)
	return w
}

func (w *world) client(id string) *authserver.Client {
	for i := range w.cfg.Clients {
		if w.cfg.Clients[i].ID == id {
			return &w.cfg.Clients[i]
		}
	}
	w.t.Fatalf("no client %q", id)
	return nil
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// kinds returns the kinds of the events since its last call.
func (w *world) kinds() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []string{}
	for _, e := range w.events {
		out = append(out, e.Kind)
	}
	w.events = nil
	return out
}

// reply is an answer whose body was read.
type reply struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (r reply) str(name string) string {
	s, _ := r.json[name].(string)
	return s
}

func (w *world) do(r *http.Request) reply {
	rec := httptest.NewRecorder()
	w.srv.ServeHTTP(rec, r)
	out := reply{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
		require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &out.json), out.body)
	}
	return out
}

// form posts name, value pairs.
func (w *world) form(path string, pairs ...string) reply { return w.do(formRequest(path, pairs...)) }

func formRequest(path string, pairs ...string) *http.Request {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest("POST", issuer+path, strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// as adds Basic credentials, form-urlencoded as RFC 6749, Section 2.3.1, says.
func as(r *http.Request, id, secret string) *http.Request {
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r
}

func (w *world) mvc(path string, pairs ...string) reply {
	return w.do(as(formRequest(path, pairs...), mvcID, mvcKey))
}

func (w *world) refresh(token string, pairs ...string) reply {
	return w.mvc("/token", append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
}

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// answer returns the parameters of a redirect back to the client.
func (w *world) answer(r reply) url.Values {
	w.t.Helper()
	require.Equal(w.t, http.StatusSeeOther, r.status, r.body)
	u, err := url.Parse(r.header.Get("Location"))
	require.NoError(w.t, err)
	return u.Query()
}

// code signs alice in and returns an authorization code for the mvc client.
func (w *world) code(pairs ...string) string {
	w.t.Helper()
	b := w.browser()
	a := w.answer(b.submit(b.get(authorizeURL(pairs...)), "username", "alice", "password", "alice"))
	require.NotEmpty(w.t, a.Get("code"), a)
	return a.Get("code")
}

func (w *world) exchange(code string) reply {
	return w.mvc("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", mvcBack, "code_verifier", verifier)
}

// signIn returns the first tokens of a new grant of alice at the mvc client.
func (w *world) signIn(pairs ...string) reply {
	w.t.Helper()
	r := w.exchange(w.code(pairs...))
	require.Equal(w.t, http.StatusOK, r.status, r.body)
	return r
}

// claims decodes a token without validating it.
func claims(t testing.TB, token string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	for i, dst := range []*map[string]any{&header, &payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		dec := json.NewDecoder(bytes.NewReader(raw))
		require.NoError(t, dec.Decode(dst))
	}
	return header, payload
}

// faultyStore lets a test break a store at a chosen moment.
type faultyStore struct {
	authserver.Store
	mu     sync.Mutex
	before func(authserver.Step) error // an error: nothing is done
	after  func(authserver.Step) error // an error: it is done, but reported as failed
}

func (f *faultyStore) set(before, after func(authserver.Step) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *faultyStore) Advance(ctx context.Context, s authserver.Step) error {
	f.mu.Lock()
	before, after := f.before, f.after
	f.mu.Unlock()
	if before != nil {
		if err := before(s); err != nil {
			return err
		}
	}
	if err := f.Store.Advance(ctx, s); err != nil {
		return err
	}
	if after != nil {
		return after(s)
	}
	return nil
}

// handlerTransport is a RoundTripper that calls a handler in process.
type handlerTransport struct{ http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, in)
	res := rec.Result()
	res.Request = r
	if res.Body == nil {
		res.Body = io.NopCloser(strings.NewReader(""))
	}
	return res, nil
}

var errBroken = errors.New("the disk is gone")

func (brokenStore) Grant(context.Context, string) (authserver.Grant, error) {
	return authserver.Grant{}, errBroken
}

// row returns the row of a refresh token.
func (w *world) row(token string) authserver.Grant {
	w.t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "rt1_"))
	require.NoError(w.t, err)
	g, err := w.store.Grant(context.Background(), base64.RawURLEncoding.EncodeToString(raw[2:18]))
	require.NoError(w.t, err)
	return g
}

// refused checks an error answer of the token endpoint.
func (w *world) refused(r reply, code string) {
	w.t.Helper()
	assert.Equal(w.t, code, r.str("error"), r.body)
	status := http.StatusBadRequest
	switch code {
	case "invalid_client":
		status = http.StatusUnauthorized
		assert.Contains(w.t, r.header.Get("WWW-Authenticate"), "Basic realm=")
	case "temporarily_unavailable":
		status = http.StatusServiceUnavailable
	}
	assert.Equal(w.t, status, r.status)
	assert.Equal(w.t, "no-store", r.header.Get("Cache-Control"))
	assert.Equal(w.t, "no-cache", r.header.Get("Pragma"))
	assert.Equal(w.t, "application/json;charset=UTF-8", r.header.Get("Content-Type"))
	assert.Regexp(w.t, `^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`, r.str("error_description"))
	assert.Len(w.t, r.json, 2)
}

// flakySigner is a key held elsewhere that can be made to fail.
type flakySigner struct {
	crypto.Signer
	fail atomic.Bool
}

func (f *flakySigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if f.fail.Load() {
		return nil, errBroken
	}
	return f.Signer.Sign(r, digest, opts)
}

// useSigner makes the world sign with a flakySigner.
func (w *world) useSigner() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(w.t, err)
	w.signer = &flakySigner{Signer: key}
	w.cfg.Keys, err = jwks.NewRotator(jwks.RotatorConfig{Signer: w.signer, Now: w.now})
	require.NoError(w.t, err)
}

// hook returns a BeforeIssue that never fails.
func hook(f func(*authserver.Issuance)) func(context.Context, *authserver.Issuance) error {
	return func(_ context.Context, i *authserver.Issuance) error {
		f(i)
		return nil
	}
}

// kindsSeen returns the kinds of all events so far.
func (w *world) kindsSeen() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range w.events {
		seen[e.Kind] = true
	}
	return seen
}
