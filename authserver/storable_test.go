package authserver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// anybody is a Users that knows every name.
type anybody struct{ authserver.Users }

func (anybody) User(_ context.Context, subject string) (*authserver.User, error) {
	return &authserver.User{Subject: subject}, nil
}

// A store may change such names or fail, and could not revoke by them.
func TestNamesThatAreNotStorable(t *testing.T) {
	for _, row := range []struct {
		name  string
		login authserver.Login
		ok    bool
	}{
		{"as long as may be", authserver.Login{Subject: strings.Repeat("x", 1024), SessionID: strings.Repeat("x", 1024)}, true},
		{"odd", authserver.Login{Subject: "\x01ü \"'\\\U0010ffff", ACR: "\x7f", AMR: []string{"\n"}}, true},
		{"a long subject", authserver.Login{Subject: strings.Repeat("x", 1025)}, false},
		{"a long session id", authserver.Login{Subject: "x", SessionID: strings.Repeat("x", 1025)}, false},
		{"a subject that is not UTF-8", authserver.Login{Subject: "x\xff"}, false},
		{"a subject with a zero byte", authserver.Login{Subject: "x\x00"}, false},
		{"a session id with a zero byte", authserver.Login{Subject: "x", SessionID: "\x00"}, false},
		{"an acr with a zero byte", authserver.Login{Subject: "x", ACR: "\x00"}, false},
		{"an amr that is not UTF-8", authserver.Login{Subject: "x", AMR: []string{"pwd", "\xc3"}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				w.cfg.Users = anybody{}
				w.cfg.Login = func(http.ResponseWriter, *http.Request, bool) (*authserver.Login, error) { return &row.login, nil }
			})
			a := w.answer(w.browser().get(authorizeURL()))
			assert.Equal(t, row.ok, a.Get("code") != "")
			if !row.ok {
				assert.Equal(t, "server_error", a.Get("error"))
			}
			if row.login.ACR+strings.Join(row.login.AMR, "") == "" {
				_, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "spa", Subject: row.login.Subject, SessionID: row.login.SessionID})
				assert.Equal(t, row.ok, err == nil, err)
			}
			n, err := w.srv.Revoke(t.Context(), authserver.Selector{Subject: row.login.Subject}, "admin")
			require.NoError(t, err)
			assert.Equal(t, row.ok, n > 0)
		})
	}
}
