package authclient_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/authclient"
)

func TestWhichAnswersCauseARefresh(t *testing.T) {
	lenient := func(c *authclient.Config) { c.Lenient = true }
	for _, row := range []struct {
		name      string
		status    int
		challenge []string
		mod       func(*authclient.Config)
		method    string
		want      bool
	}{
		{"401 invalid_token", 401, []string{invalidToken}, nil, "GET", true},
		{"to a POST", 401, []string{invalidToken}, nil, "POST", true},
		{"scheme in lower case", 401, []string{`bearer error="invalid_token"`}, nil, "GET", true},
		{"DPoP", 401, []string{`DPoP error="invalid_token", algs="ES256"`}, nil, "GET", true},
		{"after another challenge, in one line", 401, []string{`Basic realm="x", Bearer error="invalid_token"`}, nil, "GET", true},
		{"after another challenge, in two lines", 401, []string{`Basic realm="x"`, `Bearer error="invalid_token"`}, nil, "GET", true},
		{"Bearer for two things", 401, []string{`Bearer realm="x"`, `Bearer error="invalid_token"`}, nil, "GET", true},

		{"200 with a challenge", 200, []string{invalidToken}, nil, "GET", false},
		{"403 with a challenge", 403, []string{invalidToken}, nil, "GET", false},
		{"407 with a challenge", 407, []string{invalidToken}, nil, "GET", false},
		{"insufficient_scope", 403, []string{`Bearer error="insufficient_scope", scope="x"`}, nil, "GET", false},
		{"insufficient_scope as a 401", 401, []string{`Bearer error="insufficient_scope"`}, nil, "GET", false},
		{"invalid_request", 401, []string{`Bearer error="invalid_request"`}, nil, "GET", false},
		{"use_dpop_nonce", 401, []string{`DPoP error="use_dpop_nonce"`}, nil, "GET", false},
		{"insufficient_user_authentication", 401, []string{`Bearer error="insufficient_user_authentication"`}, nil, "GET", false},
		{"Basic", 401, []string{`Basic realm="x"`}, nil, "GET", false},
		{"Basic that says invalid_token", 401, []string{`Basic error="invalid_token"`}, nil, "GET", false},
		{"invalid_token in a realm", 401, []string{`Bearer realm="error=\"invalid_token\""`}, nil, "GET", false},
		{"invalid_token in a description", 401, []string{`Bearer error="x", error_description="invalid_token"`}, nil, "GET", false},
		{"another case of invalid_token", 401, []string{`Bearer error="Invalid_Token"`}, nil, "GET", false},
		{"two errors in one challenge", 401, []string{`Bearer error="invalid_token", error="invalid_request"`}, nil, "GET", false},
		{"no challenge", 401, nil, nil, "GET", false},
		{"Bearer without error", 401, []string{"Bearer"}, nil, "GET", false},
		{"Bearer with a realm alone", 401, []string{`Bearer realm="x"`}, nil, "GET", false},

		{"lenient: no challenge", 401, nil, lenient, "GET", true},
		{"lenient: Bearer without error", 401, []string{"Bearer"}, lenient, "GET", true},
		{"lenient: Bearer with a realm alone", 401, []string{`Bearer realm="x"`}, lenient, "HEAD", true},
		{"lenient: OPTIONS", 401, nil, lenient, "OPTIONS", true},
		{"lenient: POST", 401, nil, lenient, "POST", false},
		{"lenient: DELETE", 401, nil, lenient, "DELETE", false},
		{"lenient: POST with invalid_token", 401, []string{invalidToken}, lenient, "POST", true},
		{"lenient: Basic", 401, []string{`Basic realm="x"`}, lenient, "GET", false},
		{"lenient: another error", 401, []string{`Bearer error="invalid_request"`}, lenient, "GET", false},
		{"lenient: 403", 403, nil, lenient, "GET", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.api = func(r *http.Request) *http.Response {
					if r.Header.Get("Authorization") == "Bearer at-2" {
						return response(204, "")
					}
					resp := response(row.status, "")
					resp.Header["Www-Authenticate"] = row.challenge
					return resp
				}
				var mods []func(*authclient.Config)
				if row.mod != nil {
					mods = append(mods, row.mod)
				}
				rt := w.transport(t, mods...)
				status, err := do(t.Context(), rt, row.method, apiURL+"/", nil)
				require.NoError(t, err)
				if row.want {
					assert.Equal(t, 204, status)
					assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
				} else {
					assert.Equal(t, row.status, status)
					assert.Equal(t, []string{"at-1"}, w.sent())
					assert.Zero(t, w.refreshed())
				}
			})
		})
	}
}

func TestLenientPOSTWhenTheTokenExpiredOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.api = func(r *http.Request) *http.Response {
			if r.Header.Get("Authorization") == "Bearer at-1" {
				time.Sleep(time.Hour)
				return response(401, "")
			}
			return nil
		}
		rt := w.transport(t, func(c *authclient.Config) { c.Lenient = true })
		time.Sleep(30 * time.Minute)
		status, err := do(t.Context(), rt, http.MethodPost, apiURL, nil)
		require.NoError(t, err)
		assert.Equal(t, 200, status)
	})
}
