package redisstore_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/redisstore"
	"github.com/bearergate/bearergate/authserver/storetest"
	"github.com/bearergate/bearergate/jwks"
)

const issuer = "http://127.0.0.1:5000"

var refreshKey = []byte("fedcba9876543210fedcba9876543210")

// newServer returns a server over a store, with one public client whose grants come from IssueTokens.
func newServer(
	s *redisstore.Store, now func() time.Time, changes ...func(*authserver.Config),
) (*authserver.Server, error) {
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
	for _, change := range changes {
		change(cfg)
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

// Each of the eight processes has connections and a server of its own.
func TestNodes(t *testing.T) {
	storetest.RunNodes(t,
		func(t *testing.T) string { return serverAddr(t) + "\n" + config(t).Prefix },
		func(t *testing.T, location string) authserver.Store {
			addr, prefix, _ := strings.Cut(location, "\n")
			client := redis.NewClient(&redis.Options{Addr: addr, PoolSize: 3, PoolTimeout: time.Minute,
				ReadTimeout: time.Minute})
			t.Cleanup(func() { assert.NoError(t, client.Close()) })
			return open(t, redisstore.Config{Client: client, Prefix: prefix, SealKeys: [][]byte{sealKey}, Timeout: time.Minute})
		})
}

func TestOutage(t *testing.T) {
	cfg := config(t)
	proxy := storetest.NewProxy(t, serverAddr(t))
	through := cfg
	through.Client = connect(t, proxy.Addr())
	storetest.RunOutage(t, proxy, open(t, through), open(t, cfg))
}

// After a crash that lost the last second of Redis, the client is one token ahead of the store.
func TestMaxRollbackHealsLostWrite(t *testing.T) {
	for _, row := range []struct {
		name        string
		maxRollback int
		want        int
	}{
		{"rejected by default", 0, http.StatusBadRequest},
		{"healed with MaxRollback 1", 1, http.StatusOK},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := config(t)
			s := open(t, cfg)
			srv, err := newServer(s, func() time.Time { return epoch }, func(c *authserver.Config) {
				c.MaxRollback = row.maxRollback
			})
			require.NoError(t, err)
			first := issueRefreshToken(t, srv, "alice")
			names := keys(t, cfg.Client, cfg.Prefix+"grant:")
			require.Len(t, names, 1)
			before := cfg.Client.Get(t.Context(), names[0]).Val()
			a, err := refresh(srv, first)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.status)
			require.NoError(t, cfg.Client.Set(t.Context(), names[0], before, time.Hour).Err(),
				"restore the row as the AOF had it")
			b, err := refresh(srv, a.RefreshToken)
			require.NoError(t, err)
			assert.Equal(t, row.want, b.status)
			if row.want == http.StatusOK {
				again, err := refresh(srv, b.RefreshToken)
				require.NoError(t, err)
				assert.Equal(t, http.StatusOK, again.status)
			}
		})
	}
}
