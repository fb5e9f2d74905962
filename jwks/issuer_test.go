package jwks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

const issuerName = "https://issuer.example"

// issuer is an issuer inside the process: an http.RoundTripper with a metadata document and a key set.
type issuer struct {
	mu          sync.Mutex
	document    []byte
	etag        string
	control     string        // Cache-Control of the key set
	delay       time.Duration // before each answer
	down        bool
	keySet      http.HandlerFunc // answers in place of the key set
	metadata    http.HandlerFunc // answers in place of the metadata document
	fetches     []time.Time
	discoveries []time.Time
	requests    []*http.Request
}

func newIssuer(t testing.TB, keys ...*jwks.Key) *issuer {
	iss := &issuer{}
	iss.publish(t, keys...)
	return iss
}

func (i *issuer) publish(t testing.TB, keys ...*jwks.Key) {
	t.Helper()
	if len(keys) == 0 {
		return
	}
	set, err := jwks.NewSet(keys...)
	require.NoError(t, err)
	document, err := set.MarshalJSON()
	require.NoError(t, err)
	i.set(func() { i.document = document })
}

func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuer) count() (fetches, discoveries int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.fetches), len(i.discoveries)
}

func (i *issuer) last() *http.Request {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests[len(i.requests)-1]
}

func (i *issuer) RoundTrip(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	answer := i.answer(req)
	delay, down := i.delay, i.down
	i.requests = append(i.requests, req)
	i.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	if down {
		return nil, errors.New("connection refused")
	}
	rec := httptest.NewRecorder()
	answer(rec, req)
	res := rec.Result()
	res.Request = req
	return res, nil
}

func (i *issuer) answer(req *http.Request) http.HandlerFunc {
	switch req.URL.Path {
	case "/keys":
		i.fetches = append(i.fetches, time.Now())
		if i.keySet != nil {
			return i.keySet
		}
		document, etag, control := i.document, i.etag, i.control
		return func(w http.ResponseWriter, req *http.Request) {
			if control != "" {
				w.Header().Set("Cache-Control", control)
			}
			if etag != "" {
				w.Header().Set("ETag", etag)
				if req.Header.Get("If-None-Match") == etag {
					w.WriteHeader(http.StatusNotModified)
					return
				}
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(document)
		}
	case "/.well-known/openid-configuration":
		i.discoveries = append(i.discoveries, time.Now())
		if i.metadata != nil {
			return i.metadata
		}
		return answers(200, "application/json", `{"issuer": %q, "jwks_uri": %q}`, issuerName, issuerName+"/keys")
	}
	return http.NotFound
}

// answers returns a handler with one answer.
func answers(status int, contentType, format string, args ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, format, args...)
	}
}

// remote returns a Remote for i that is closed when the test ends.
func (i *issuer) remote(t testing.TB, change ...func(*jwks.RemoteConfig)) *jwks.Remote {
	t.Helper()
	cfg := jwks.RemoteConfig{Issuer: issuerName, Client: &http.Client{Transport: i}}
	for _, c := range change {
		c(&cfg)
	}
	r, err := jwks.NewRemote(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

// newKey returns a new key for ES256.
func newKey(t testing.TB, kid string) *jwks.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	k, err := jwks.NewKey(kid, "ES256", private.Public())
	require.NoError(t, err)
	return k
}

// lookup looks up one key for ES256.
func lookup(src jwks.KeySource, kid string) (*jwks.Key, error) {
	keys, err := src.Lookup(context.Background(), kid, "ES256")
	if err != nil {
		if keys != nil {
			return nil, fmt.Errorf("keys and an error: %w", err)
		}
		return nil, err
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("%d keys", len(keys))
	}
	return keys[0], nil
}

func found(t testing.TB, src jwks.KeySource, kids ...string) {
	t.Helper()
	for _, kid := range kids {
		k, err := lookup(src, kid)
		if assert.NoError(t, err, kid) {
			assert.Equal(t, kid, k.ID())
		}
	}
}

func missing(t testing.TB, src jwks.KeySource, want error, kids ...string) {
	t.Helper()
	for _, kid := range kids {
		_, err := lookup(src, kid)
		assert.ErrorIs(t, err, want, kid)
		if want == jwks.ErrKeyNotFound {
			assert.NotErrorIs(t, err, jwks.ErrUnavailable)
		} else {
			assert.NotErrorIs(t, err, jwks.ErrKeyNotFound)
		}
	}
}

// scenario is a row of a table: a sentence, and the test that shows it. Time is virtual.
type scenario struct {
	name string
	run  func(t *testing.T)
}

func runScenarios(t *testing.T, rows []scenario) {
	for _, row := range rows {
		t.Run(strings.ReplaceAll(row.name, " ", "_"), func(t *testing.T) {
			synctest.Test(t, row.run)
		})
	}
}
