package storetest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

const (
	issuer    = "https://login.example"
	tokenPath = "/token"
	formType  = "application/x-www-form-urlencoded"
	client    = "app"
)

// refreshKey is the same in every process.
var refreshKey = []byte("0123456789abcdef0123456789abcdef")

// newServer returns an authorization server over a store, which also holds the signing keys if it is a [jwks.KeyStore].
// Its only client is public and gets grants from IssueTokens. Its clock stands still. It is the same in every process.
func newServer(s authserver.Store, changes ...func(*authserver.Config)) (*authserver.Server, error) {
	cfg := authserver.NewConfig(issuer)
	cfg.Store, cfg.RefreshKeys = s, [][]byte{refreshKey}
	cfg.Now = func() time.Time { return epoch }
	cfg.Clients = []authserver.Client{{ID: client, GrantTypes: []string{"refresh_token"},
		Scopes: []string{"offline_access"}}}
	for _, change := range changes {
		change(cfg)
	}
	if keys, ok := s.(jwks.KeyStore); ok {
		var err error
		if cfg.Keys, err = jwks.NewRotator(jwks.RotatorConfig{Store: keys, Now: cfg.Now}); err != nil {
			return nil, err
		}
	}
	return authserver.New(cfg)
}

// issueRefreshToken creates a grant and returns its first refresh token.
func issueRefreshToken(t testing.TB, srv *authserver.Server, subject string) string {
	t.Helper()
	tokens, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: client, Subject: subject})
	if err != nil {
		t.Fatalf("IssueTokens: %v", err)
	}
	return tokens.RefreshToken
}

// answer is an answer of the token endpoint. Its status is 0 if it is not JSON.
type answer struct {
	Status       int    `json:"-"`
	RetryAfter   string `json:"-"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
}

// form is the body of a refresh.
func form(token string) string {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {token}}.Encode()
}

// refresh presents a refresh token to a server in this process.
func refresh(srv http.Handler, token string) answer {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, issuer+tokenPath,
		strings.NewReader(form(token)))
	r.Header.Set("Content-Type", formType)
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	a := answer{Status: w.Code, RetryAfter: w.Header().Get("Retry-After")}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		return answer{}
	}
	return a
}

// onlyGrant returns the only active grant of a user.
func onlyGrant(t *testing.T, s authserver.Store, subject string) authserver.Grant {
	t.Helper()
	list, err := s.Grants(t.Context(), authserver.Selector{Subject: subject}, epoch, 0)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d grants of %s, want one: %v", len(list), subject, err)
	}
	return list[0]
}
