package pgstore_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/pgstore"
	"github.com/bearergate/bearergate/authserver/storetest"
	"github.com/bearergate/bearergate/jwks"
)

const issuer = "http://127.0.0.1:5000"

var refreshKey = []byte("fedcba9876543210fedcba9876543210")

// newServer returns a server over a store, with one public client whose grants come from IssueTokens.
func newServer(s *pgstore.Store, now func() time.Time) (*authserver.Server, error) {
	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: s, Now: now})
	if err != nil {
		return nil, err
	}
	cfg := authserver.NewConfig(issuer)
	cfg.Store, cfg.RefreshKeys, cfg.Keys, cfg.Now, cfg.RefreshGrace = s, [][]byte{refreshKey}, keys, now, time.Minute
	cfg.Resources = map[string][]string{"api1": {"api1"}}
	cfg.Clients = []authserver.Client{
		{ID: "app", GrantTypes: []string{"refresh_token"}, Scopes: []string{"api1", "offline_access"}},
	}
	return authserver.New(cfg)
}

func issueRefreshToken(t testing.TB, srv *authserver.Server, subject string) string {
	t.Helper()
	tokens, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "app", Subject: subject})
	require.NoError(t, err)
	return tokens.RefreshToken
}

type answer struct {
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
	status       int
}

func refresh(srv http.Handler, token string) (answer, error) {
	body := url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {token}}.Encode()
	r := httptest.NewRequest("POST", issuer+"/token", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, r)
	a := answer{status: rec.Code}
	return a, json.Unmarshal(rec.Body.Bytes(), &a)
}

// Each of the eight processes has a pool and a server of its own.
func TestNodes(t *testing.T) {
	storetest.RunNodes(t,
		func(t *testing.T) string {
			cfg := config(t)
			return cfg.Schema + "\n" + cfg.URL
		},
		func(t *testing.T, location string) authserver.Store {
			schema, url, _ := strings.Cut(location, "\n")
			return open(t, pgstore.Config{URL: url, Schema: schema, SealKeys: [][]byte{sealKey}, Timeout: time.Minute,
				Configure: func(c *pgxpool.Config) { c.MaxConns = 3 }})
		})
}

func TestOutage(t *testing.T) {
	cfg := config(t)
	direct := open(t, cfg)
	parsed, err := pgx.ParseConfig(cfg.URL)
	require.NoError(t, err)
	line := storetest.NewLine(t, net.JoinHostPort(parsed.Host, fmt.Sprint(parsed.Port)))
	host, port, err := net.SplitHostPort(line.Addr())
	require.NoError(t, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	through := cfg
	through.Configure = func(c *pgxpool.Config) {
		c.MaxConns, c.ConnConfig.Host, c.ConnConfig.Port, c.ConnConfig.Fallbacks = 4, host, uint16(number), nil
	}
	storetest.RunOutage(t, line, open(t, through), direct)
}
