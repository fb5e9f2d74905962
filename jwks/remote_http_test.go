package jwks_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

func loopback(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

// TestRemoteOverHTTP uses a real listener and the Remote's own transport.
func TestRemoteOverHTTP(t *testing.T) {
	iss := newIssuer(t, newKey(t, "a"))
	mux := http.NewServeMux()
	srv := loopback(t, mux)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, srv.URL, srv.URL+"/moved")
	})
	mux.HandleFunc("/moved", redirect(srv.URL+"/keys"))
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(iss.document) })

	before := runtime.NumGoroutine()
	for range 10 {
		r, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: srv.URL})
		require.NoError(t, err)
		found(t, r, "a")
		require.NoError(t, r.Close())
	}
	// The connections are closed; their goroutines, and the server's, take a moment to see it. The condition has a
	// goroutine of its own.
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 10*time.Second, 10*time.Millisecond)
}

func TestRemoteConfig(t *testing.T) {
	const https = "https://issuer.example"
	for _, row := range []struct {
		name string
		cfg  jwks.RemoteConfig
		says []string // every problem; none: it is accepted
	}{
		{"an issuer", jwks.RemoteConfig{Issuer: https}, nil},
		{"an issuer with a path", jwks.RemoteConfig{Issuer: https + "/tenant/v2.0"}, nil},
		{"an issuer with a slash at the end", jwks.RemoteConfig{Issuer: https + "/"}, nil},
		{"an address", jwks.RemoteConfig{URL: https + "/keys?version=1"}, nil},
		{"an address, and the issuer's name, which need not be a URL", jwks.RemoteConfig{Issuer: "issuer", URL: https + "/keys"}, nil},
		{"http on 127.0.0.1", jwks.RemoteConfig{Issuer: "http://127.0.0.1:8080"}, nil},
		{"http on another loopback address", jwks.RemoteConfig{Issuer: "http://127.8.8.8"}, nil},
		{"http on ::1", jwks.RemoteConfig{Issuer: "http://[::1]:8080"}, nil},
		{"http on localhost", jwks.RemoteConfig{Issuer: "http://LocalHost:8080"}, nil},
		{"http, spelled out", jwks.RemoteConfig{Issuer: "http://issuer.internal", AllowInsecureHTTP: true}, nil},
		{"nothing", jwks.RemoteConfig{}, []string{"one of Issuer and URL is required"}},
		{"http", jwks.RemoteConfig{Issuer: "http://issuer.example"}, []string{`Issuer "http://issuer.example": http on a host that is not loopback: use https, or set AllowInsecureHTTP`}},
		{"http that looks like loopback", jwks.RemoteConfig{URL: "http://127.0.0.1.example/keys"}, []string{"http on a host that is not loopback"}},
		{"http that starts like localhost", jwks.RemoteConfig{URL: "http://localhost.example/keys"}, []string{"http on a host that is not loopback"}},
		{"another scheme", jwks.RemoteConfig{Issuer: "ftp://issuer.example"}, []string{`the scheme is "ftp", not https`}},
		{"no scheme", jwks.RemoteConfig{Issuer: "issuer.example"}, []string{"not an absolute URL"}},
		{"no host", jwks.RemoteConfig{Issuer: "https:///keys"}, []string{"the URL has no host"}},
		{"no URL", jwks.RemoteConfig{Issuer: "https://a b"}, []string{"not a URL"}},
		{"a password", jwks.RemoteConfig{URL: "https://user:secret@issuer.example/keys"}, []string{"the URL has a user or a password"}},
		{"a fragment", jwks.RemoteConfig{Issuer: https + "#x"}, []string{"the URL has a fragment"}},
		{"an empty fragment", jwks.RemoteConfig{Issuer: https + "#"}, []string{"the URL has a fragment"}},
		{"an issuer with a query", jwks.RemoteConfig{Issuer: https + "?tenant=1"}, []string{"the URL has a query"}},
		{"an issuer with an empty query", jwks.RemoteConfig{Issuer: https + "?"}, []string{"the URL has a query"}},
		{"negative times", jwks.RemoteConfig{Issuer: https, MinAge: -1, MaxAge: -1, MaxStale: -1}, []string{"MinAge is negative", "MaxAge is negative", "MaxStale is negative"}},
		{"times in the wrong unit", jwks.RemoteConfig{Issuer: https, MinAge: 60, MaxAge: 3600}, []string{"MinAge is less than a millisecond", "MaxAge is less than a millisecond"}},
		{"a floor above the ceiling", jwks.RemoteConfig{Issuer: https, MinAge: 2 * time.Hour}, []string{"MinAge 2h0m0s is more than MaxAge 1h0m0s"}},
		{"a ceiling above the longest age", jwks.RemoteConfig{Issuer: https, MaxAge: 48 * time.Hour}, []string{"MaxAge 48h0m0s is more than MaxStale 24h0m0s"}},
		{"everything at once", jwks.RemoteConfig{Issuer: "x", URL: "y", MaxStale: -1, MinAge: 2 * time.Hour}, []string{"URL", "MaxStale", "MinAge"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := jwks.NewRemote(row.cfg)
			if row.says == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Nil(t, r)
			for _, s := range row.says {
				assert.ErrorContains(t, err, s)
			}
			assert.NotContains(t, err.Error(), "secret@")
			for line := range strings.Lines(err.Error()) {
				assert.True(t, strings.HasPrefix(line, "jwks: "), line)
			}
		})
	}
}

// TestRemoteMemory fetches a body of 64 MiB again and again: never more than the limit is read of it.
func TestRemoteMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &zeros{}
		r, err := jwks.NewRemote(jwks.RemoteConfig{URL: issuerName + "/keys", Client: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(io.LimitReader(body, 64<<20)), ContentLength: -1}, nil
		})}})
		require.NoError(t, err)
		_, err = lookup(r, "a")
		require.ErrorContains(t, err, "more than 1048576 bytes")
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		time.Sleep(30 * time.Minute)
		runtime.GC()
		runtime.ReadMemStats(&after)
		failures := r.Status().Failures
		assert.Greater(t, failures, 30)
		assert.LessOrEqual(t, body.read, (failures+1)*(1<<20+64<<10))
		assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(4<<20))
		require.NoError(t, r.Close())
	})
}

// TestRemoteCompressionBomb: the limit holds after decompression.
func TestRemoteCompressionBomb(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := io.CopyN(z, &zeros{}, 8<<20)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	srv := loopback(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}))
	r, err := jwks.NewRemote(jwks.RemoteConfig{URL: srv.URL})
	require.NoError(t, err)
	_, err = lookup(r, "a")
	assert.ErrorContains(t, err, "more than 1048576 bytes")
	require.NoError(t, r.Close())
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestRemoteErrorsHideQueries: the query of an address may hold a secret.
func TestRemoteErrorsHideQueries(t *testing.T) {
	for _, transport := range []roundTripper{
		func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
		func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 500, Body: http.NoBody}, nil
		},
	} {
		r, err := jwks.NewRemote(jwks.RemoteConfig{URL: issuerName + "/keys?code=hidden", Client: &http.Client{Transport: transport}})
		require.NoError(t, err)
		err = r.Ready(context.Background())
		require.Error(t, err)
		assert.Contains(t, err.Error(), issuerName+"/keys")
		assert.NotContains(t, err.Error(), "hidden")
		require.NoError(t, r.Close())
	}
}
