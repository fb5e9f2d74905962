package issuer_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
	"github.com/bearergate/bearergate/examples/internal/issuer"
)

func options(url, data string) issuer.Options {
	return issuer.Options{
		Issuer: url, DataDir: data, Alg: "ES256", AccessTokenLifetime: time.Minute, RefreshTokenLifetime: time.Hour,
		RefreshGrace: 10 * time.Second, KeyRotation: time.Hour,
	}
}

// start starts an authorization server on a loopback port.
func start(t *testing.T, data string) (*issuer.Issuer, string) {
	t.Helper()
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	i, err := issuer.New(options(srv.URL, data), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = i.CloseStore() })
	handler = i.Handler()
	return i, srv.URL
}

type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
}

func issue(t *testing.T, i *issuer.Issuer, subject string) *authserver.Tokens {
	t.Helper()
	set, err := i.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "spa", Subject: subject})
	require.NoError(t, err)
	require.NotEmpty(t, set.RefreshToken)
	return set
}

func refresh(t *testing.T, base, token string) (status int, body string) {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {token}}
	response, err := http.PostForm(base+"/token", form)
	require.NoError(t, err)
	return read(t, response)
}

func read(t *testing.T, response *http.Response) (int, string) {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func change(t *testing.T, base, token, body string) (int, string) {
	t.Helper()
	url := base + "/account/password"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	return read(t, response)
}

func TestChangePassword(t *testing.T) {
	for _, row := range []struct {
		name   string
		body   string
		status int
		tokens bool // in the answer
		ended  bool // whether earlier grants are revoked
	}{
		{"with new tokens", `{"password":"alice","new_password":"correct horse","returnSecureToken":true}`, 200, true, true},
		{"without new tokens", `{"password":"alice","new_password":"correct horse","returnSecureToken":false}`,
			204, false, true},
		{"without returnSecureToken", `{"password":"alice","new_password":"correct horse"}`, 204, false, true},
		{"a wrong password", `{"password":"wrong","new_password":"correct horse","returnSecureToken":true}`,
			403, false, false},
		{"a short new password", `{"password":"alice","new_password":"short"}`, 400, false, false},
		{"a body that is not JSON", `password=alice`, 400, false, false},
		{"a misspelt member", `{"password":"alice","newPassword":"correct horse"}`, 400, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			i, base := start(t, "")
			here, elsewhere, other := issue(t, i, "alice"), issue(t, i, "alice"), issue(t, i, "bob")
			status, body := change(t, base, here.AccessToken, row.body)
			require.Equal(t, row.status, status, body)
			if row.tokens {
				var fresh tokens
				require.NoError(t, json.Unmarshal([]byte(body), &fresh))
				assert.NotEmpty(t, fresh.AccessToken)
				assert.NotEmpty(t, fresh.IDToken)
				status, _ = refresh(t, base, fresh.RefreshToken)
				assert.Equal(t, 200, status, "the new grant works")
			} else {
				assert.NotContains(t, body, "token\":")
			}
			for _, old := range []*authserver.Tokens{here, elsewhere} {
				status, body = refresh(t, base, old.RefreshToken)
				if row.ended {
					assert.Equal(t, 400, status)
					assert.Contains(t, body, "invalid_grant")
				} else {
					assert.Equal(t, 200, status)
				}
			}
			status, _ = refresh(t, base, other.RefreshToken)
			assert.Equal(t, 200, status, "grants of other users keep working")
			_, err := i.Users.Authenticate(t.Context(), "alice", "correct horse")
			if row.ended {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, authserver.ErrAccessDenied)
			}
		})
	}
	t.Run("without a token", func(t *testing.T) {
		_, base := start(t, "")
		status, _ := change(t, base, "", `{"password":"alice","new_password":"correct horse"}`)
		assert.Equal(t, 401, status)
	})
}

func TestDataDirectorySurvivesRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, base := start(t, dir)
	set := issue(t, first, "alice")
	_, err := issuer.New(options(base, dir), slog.New(slog.DiscardHandler))
	assert.ErrorIs(t, err, boltstore.ErrInUse, "a second process is rejected")
	require.NoError(t, first.CloseStore())

	second, err := issuer.New(options(base, dir), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer second.CloseStore()
	srv := httptest.NewServer(second.Handler())
	defer srv.Close()
	status, body := refresh(t, srv.URL, set.RefreshToken)
	assert.Equal(t, 200, status, body)
	kids := func(base string) string {
		response, err := http.Get(base + "/.well-known/jwks.json")
		require.NoError(t, err)
		_, body := read(t, response)
		return body
	}
	assert.Contains(t, kids(srv.URL), `"kid"`)

	t.Run("an impossible directory", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		_, err := issuer.New(options(base, filepath.Join(file, "data")), slog.New(slog.DiscardHandler))
		assert.ErrorContains(t, err, "-data")
	})
}

// /healthz reports that the process answers, /readyz that it can issue tokens.
func TestHealth(t *testing.T) {
	i, base := start(t, filepath.Join(t.TempDir(), "data"))
	health := func(path string) (int, string) {
		response, err := http.Get(base + path)
		require.NoError(t, err)
		retry := response.Header.Get("Retry-After")
		status, _ := read(t, response)
		return status, retry
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		status, _ := health(path)
		assert.Equal(t, 200, status, path)
	}
	require.NoError(t, i.CloseStore())
	status, _ := health("/healthz")
	assert.Equal(t, 200, status)
	status, retry := health("/readyz")
	assert.Equal(t, 503, status)
	assert.NotEmpty(t, retry)
}

func TestReadRejectsUnknownMembers(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":                 `clients:`,
		"an unknown member":        `{"clients":[],"colour":"red"}`,
		"an unknown client member": `{"clients":[{"client_id":"a","colour":"red"}]}`,
		"trailing data":            `{"clients":[]} {}`,
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.json")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, err := issuer.Read(file)
			assert.ErrorContains(t, err, file)
		})
	}
}
