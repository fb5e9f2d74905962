package jwks_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// site serves documents by address; any other address answers 404.
type site struct {
	pages map[string]http.HandlerFunc
	mu    sync.Mutex
	log   []string
}

func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *site) RoundTrip(req *http.Request) (*http.Response, error) {
	address := req.URL.String()
	s.mu.Lock()
	s.log = append(s.log, address)
	s.mu.Unlock()
	iss := &issuer{keySet: s.pages[address]}
	if iss.keySet == nil {
		iss.keySet = http.NotFound
	}
	// The issuer answers every request for the path of its key set.
	inner := req.Clone(req.Context())
	inner.URL.Path = "/keys"
	res, err := iss.RoundTrip(inner)
	if err == nil {
		res.Request = req
	}
	return res, err
}

func page(format string, args ...any) http.HandlerFunc {
	return answers(200, "application/json", format, args...)
}

func TestDiscovery(t *testing.T) {
	const keys = "https://keys.example/keys"
	document := func(issuer string) http.HandlerFunc { return page(`{"issuer": %q, "jwks_uri": %q}`, issuer, keys) }
	uri := func(issuer, uri string) http.HandlerFunc { return page(`{"issuer": %q, "jwks_uri": %q}`, issuer, uri) }
	const (
		plain  = "https://issuer.example"
		slash  = "https://issuer.example/"
		tenant = "https://issuer.example/tenant/one"
		oidc   = "/.well-known/openid-configuration"
		oauth  = "/.well-known/oauth-authorization-server"
	)
	for _, row := range []struct {
		name   string
		issuer string
		pages  map[string]http.HandlerFunc
		says   string // the error; empty: the keys are found
	}{
		{"OpenID Connect", plain, map[string]http.HandlerFunc{plain + oidc: document(plain)}, ""},
		{"RFC 8414", plain, map[string]http.HandlerFunc{plain + oauth: document(plain)}, ""},
		{"an issuer with a slash at the end", slash, map[string]http.HandlerFunc{plain + oidc: document(slash)}, ""},
		{"a path, appended", tenant, map[string]http.HandlerFunc{tenant + oidc: document(tenant)}, ""},
		{"a path, RFC 8414 inserted", tenant, map[string]http.HandlerFunc{plain + oauth + "/tenant/one": document(tenant)}, ""},
		{"a path, OpenID Connect inserted", tenant, map[string]http.HandlerFunc{plain + oidc + "/tenant/one": document(tenant)}, ""},
		{"a path, RFC 8414 appended", tenant, map[string]http.HandlerFunc{tenant + oauth: document(tenant)}, ""},
		{"a path with a slash at the end", tenant + "/", map[string]http.HandlerFunc{plain + oauth + "/tenant/one": document(tenant + "/")}, ""},
		{"a path with an escaped slash stays as it is", plain + "/a%2Fb", map[string]http.HandlerFunc{plain + "/a%2Fb" + oidc: document(plain + "/a%2Fb")}, ""},
		{"a page for every address but one", tenant, map[string]http.HandlerFunc{
			tenant + oidc: answers(200, "text/html", "<html>"), plain + oauth + "/tenant/one": answers(200, "application/json", "<html>"),
			plain + oidc + "/tenant/one": document(tenant)}, ""},
		{"another issuer's document first, the right one later", tenant, map[string]http.HandlerFunc{tenant + oidc: document(plain), plain + oauth + "/tenant/one": document(tenant)}, ""},
		{"403 for what is not there", plain, map[string]http.HandlerFunc{plain + oidc: answers(403, "text/xml", ""), plain + oauth: document(plain)}, ""},

		{"no document at all", plain, nil, "https://issuer.example/.well-known/openid-configuration: status 404: no metadata document"},
		{"another issuer", plain, map[string]http.HandlerFunc{plain + oidc: document("https://other.example")}, `the document's issuer is "https://other.example", not "https://issuer.example"`},
		{"a slash too many in the document", plain, map[string]http.HandlerFunc{plain + oidc: document(slash)}, `"https://issuer.example/" differs from the configured "https://issuer.example" only by a trailing slash`},
		{"a slash too many in the configuration", slash, map[string]http.HandlerFunc{plain + oidc: document(plain)}, `"https://issuer.example" differs from the configured "https://issuer.example/" only by a trailing slash`},
		{"another spelling of the same host", plain, map[string]http.HandlerFunc{plain + oidc: document("https://ISSUER.example")}, "the document's issuer is"},
		{"a template for an issuer", plain, map[string]http.HandlerFunc{plain + oidc: document("https://issuer.example/{tenantid}")}, "the document's issuer is"},
		{"no issuer", plain, map[string]http.HandlerFunc{plain + oidc: page(`{"jwks_uri": %q}`, keys)}, "the document names no issuer"},
		{"an issuer under another name", plain, map[string]http.HandlerFunc{plain + oidc: page(`{"Issuer": %q, "jwks_uri": %q}`, plain, keys)}, "the document names no issuer"},
		{"an issuer that is a number", plain, map[string]http.HandlerFunc{plain + oidc: page(`{"issuer": 1, "jwks_uri": %q}`, keys)}, "the document names no issuer"},
		{"no jwks_uri", plain, map[string]http.HandlerFunc{plain + oidc: page(`{"issuer": %q}`, plain)}, "the document has no jwks_uri"},
		{"a jwks_uri that is a number", plain, map[string]http.HandlerFunc{plain + oidc: page(`{"issuer": %q, "jwks_uri": 1}`, plain)}, "the document has no jwks_uri"},
		{"a relative jwks_uri", plain, map[string]http.HandlerFunc{plain + oidc: uri(plain, "/keys")}, "jwks_uri /keys: not an absolute URL"},
		{"a jwks_uri by http", plain, map[string]http.HandlerFunc{plain + oidc: uri(plain, "http://issuer.example/keys")}, "jwks_uri http://issuer.example/keys: http on a host that is not loopback"},
		{"a jwks_uri by http on this machine", plain, map[string]http.HandlerFunc{plain + oidc: uri(plain, "http://localhost/keys")}, "jwks_uri http://localhost/keys: from https to http"},
		{"a jwks_uri in a file", plain, map[string]http.HandlerFunc{plain + oidc: uri(plain, "file:///etc/passwd")}, `the scheme is "file", not https`},
		{"a redirect to http", plain, map[string]http.HandlerFunc{plain + oidc: redirect("http://issuer.example/x")}, "http on a host that is not loopback"},
		{"an array", plain, map[string]http.HandlerFunc{plain + oidc: page(`[]`)}, "not a JSON object"},
		{"garbage", plain, map[string]http.HandlerFunc{plain + oidc: page(`{"issuer"`)}, "not valid JSON"},
		{"a page", plain, map[string]http.HandlerFunc{plain + oidc: answers(200, "text/html", "<html>")}, `Content-Type is "text/html"`},
		{"a failing server is not asked for the other documents", plain, map[string]http.HandlerFunc{plain + oidc: answers(502, "text/html", ""), plain + oauth: document(plain)}, "openid-configuration: status 502"},
		{"a busy server is not asked for the other documents", plain, map[string]http.HandlerFunc{plain + oidc: answers(429, "text/html", ""), plain + oauth: document(plain)}, "openid-configuration: status 429"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set, err := jwks.NewSet(newKey(t, "a"))
				require.NoError(t, err)
				text, err := set.MarshalJSON()
				require.NoError(t, err)
				s := &site{pages: map[string]http.HandlerFunc{keys: page("%s", text)}}
				maps.Copy(s.pages, row.pages)
				r, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: row.issuer, Client: &http.Client{Transport: s}})
				require.NoError(t, err)
				defer r.Close()
				_, err = lookup(r, "a")
				if row.says == "" {
					require.NoError(t, err)
					assert.Equal(t, keys, r.Status().URL)
					return
				}
				require.ErrorIs(t, err, jwks.ErrUnavailable)
				assert.ErrorContains(t, err, row.says)
				assert.ErrorContains(t, err, "jwks: keys unavailable: discovery of "+row.issuer)
				assert.NotContains(t, s.asked(), keys)
			})
		})
	}
}

// TestDiscoveryStartsWithTheLastAddress: the address that answered last time is tried first.
func TestDiscoveryStartsWithTheLastAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const issuer, keys = "https://issuer.example/t", "https://issuer.example/t/keys"
		set, err := jwks.NewSet(newKey(t, "a"))
		require.NoError(t, err)
		text, err := set.MarshalJSON()
		require.NoError(t, err)
		s := &site{pages: map[string]http.HandlerFunc{keys: page("%s", text),
			"https://issuer.example/.well-known/openid-configuration/t": page(`{"issuer": %q, "jwks_uri": %q}`, issuer, keys)}}
		r, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: issuer, Client: &http.Client{Transport: s}})
		require.NoError(t, err)
		found(t, r, "a")
		assert.Len(t, s.asked(), 4)
		time.Sleep(25 * time.Hour)
		require.NoError(t, r.Close())
		wrong := 0
		for _, address := range s.asked() {
			if address != keys && s.pages[address] == nil {
				wrong++
			}
		}
		assert.Equal(t, 2, wrong)
	})
}

// TestRemotesShareNoKeys: what one issuer publishes never verifies a token of another.
func TestRemotesShareNoKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newKey(t, "shared"), newKey(t, "shared")
		ra := newIssuer(t, a, newKey(t, "only-a")).remote(t)
		rb := newIssuer(t, b).remote(t)
		ka, err := lookup(ra, "shared")
		require.NoError(t, err)
		kb, err := lookup(rb, "shared")
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint(a.Public()), fmt.Sprint(ka.Public()))
		assert.Equal(t, fmt.Sprint(b.Public()), fmt.Sprint(kb.Public()))
		found(t, ra, "only-a")
		missing(t, rb, jwks.ErrKeyNotFound, "only-a")
	})
}

// TestInsecureHTTP is about issuers without https: on loopback, and on any host with AllowInsecureHTTP.
func TestInsecureHTTP(t *testing.T) {
	for _, row := range []struct {
		name, issuer, keys string
		insecure           bool
		says               string
	}{
		{"from loopback to loopback", "http://127.0.0.1:5000", "http://localhost:5000/keys", false, ""},
		{"from loopback to https", "http://127.0.0.1:5000", "https://keys.example/keys", false, ""},
		{"from loopback to another host", "http://127.0.0.1:5000", "http://10.0.0.1/keys", false, "http on a host that is not loopback"},
		{"from host to host, allowed", "http://issuer.internal", "http://keys.internal/keys", true, ""},
		{"from https to http is never allowed", "https://issuer.example", "http://keys.internal/keys", true, "from https to http"},
		{"from https to http on this machine neither", "https://issuer.example", "http://127.0.0.1/keys", true, "from https to http"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				document := newIssuer(t, newKey(t, "a")).document
				s := &site{pages: map[string]http.HandlerFunc{row.keys: page("%s", document),
					row.issuer + "/.well-known/openid-configuration": page(`{"issuer": %q, "jwks_uri": %q}`, row.issuer, row.keys)}}
				r, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: row.issuer, AllowInsecureHTTP: row.insecure, Client: &http.Client{Transport: s}})
				require.NoError(t, err)
				defer r.Close()
				if row.says == "" {
					found(t, r, "a")
					return
				}
				_, err = lookup(r, "a")
				assert.ErrorIs(t, err, jwks.ErrUnavailable)
				assert.ErrorContains(t, err, row.says)
			})
		})
	}
}
