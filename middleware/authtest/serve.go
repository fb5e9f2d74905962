package authtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// Client returns an HTTP client that reaches this issuer's discovery documents and key set in process, and nothing
// else.
func (iss *Issuer) Client() *http.Client { return &http.Client{Transport: transport{iss}} }

type transport struct{ iss *Issuer }

// RoundTrip serves requests to the issuer's own host without a socket.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body != nil {
		defer r.Body.Close()
	}
	own, err := url.Parse(t.iss.name)
	rec := httptest.NewRecorder()
	if err != nil || r.URL.Host != own.Host {
		http.Error(rec, "this transport reaches only "+t.iss.name, http.StatusBadGateway)
	} else {
		t.iss.ServeHTTP(rec, r)
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// ServeHTTP serves the discovery documents (OpenID Connect Discovery and RFC 8414) and the key set, for tests that
// need the issuer on a real listener. Its name must then be the URL of the listener: use IssuedBy.
func (iss *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	if iss.down {
		http.Error(w, "outage", http.StatusServiceUnavailable)
		return
	}
	base := strings.TrimSuffix(iss.name, "/")
	var doc []byte
	switch {
	case strings.HasSuffix(r.URL.Path, "/jwks.json"):
		doc = iss.keySet()
	case strings.Contains(r.URL.Path, "/.well-known/"):
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		iss.must(enc.Encode(map[string]any{"issuer": iss.name, "jwks_uri": base + "/jwks.json"}))
		doc = b.Bytes()
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(doc)
}
