package authclient_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// idToken returns claims in the form of a signed ID token.
func idToken(claims string) string {
	return "eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJl"
}

func TestIDTokenOfRefreshIsOfSameLogin(t *testing.T) {
	const login = `{"iss":"i","sub":"alice","aud":"c","azp":"c","auth_time":1,"iat":1}`
	for _, row := range []struct {
		name string
		old  string
		new  string
		want string // part of the error; "": accepted
	}{
		{"the same", idToken(login), idToken(login), ""},
		{"later", idToken(login), idToken(`{"iss":"i","sub":"alice","aud":"c","azp":"c","auth_time":1,"iat":2,"exp":3}`), ""},
		{"aud as an array", idToken(login), idToken(`{"iss":"i","sub":"alice","aud":["c"],"azp":"c","auth_time":1}`), ""},
		{"aud in another order", idToken(`{"aud":["a","b"]}`), idToken(`{"aud":["b","a"]}`), ""},
		{"auth_time missing", idToken(login), idToken(`{"iss":"i","sub":"alice","aud":"c","azp":"c"}`), ""},
		{"another iss", idToken(login), idToken(`{"iss":"j","sub":"alice","aud":"c","azp":"c","auth_time":1}`), "another iss"},
		{"another sub", idToken(login), idToken(`{"iss":"i","sub":"bob","aud":"c","azp":"c","auth_time":1}`), "another sub"},
		{"sub missing", idToken(login), idToken(`{"iss":"i","aud":"c","azp":"c","auth_time":1}`), "another sub"},
		{"another aud", idToken(login), idToken(`{"iss":"i","sub":"alice","aud":"d","azp":"c","auth_time":1}`), "another aud"},
		{"additional aud", idToken(login), idToken(`{"iss":"i","sub":"alice","aud":["c","d"],"azp":"c","auth_time":1}`), "another aud"},
		{"another azp", idToken(login), idToken(`{"iss":"i","sub":"alice","aud":"c","azp":"d","auth_time":1}`), "another azp"},
		{"azp added", idToken(`{"sub":"alice"}`), idToken(`{"sub":"alice","azp":"d"}`), "another azp"},
		{"another auth_time", idToken(login), idToken(`{"iss":"i","sub":"alice","aud":"c","azp":"c","auth_time":2}`), "another auth_time"},
		{"not a token", idToken(login), "x", "cannot be read"},
		{"not base64url", idToken(login), "a.!.c", "cannot be read"},
		{"not JSON", idToken(login), idToken("x"), "cannot be read"},
		{"encrypted at login already", "a.b.c.d.e", "f.g.h.i.j", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := authclient.SameLogin(row.old, row.new)
			if row.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, row.want)
			}
		})
	}
}

func TestIDTokenOfAnotherLoginEndsTheGrant(t *testing.T) {
	w := newWorld()
	body, err := json.Marshal(map[string]any{"access_token": "at-bob", "refresh_token": "rt-bob", "id_token": idToken(`{"sub":"bob"}`)})
	require.NoError(t, err)
	w.refresh = answers(answer(200, string(body)))
	token := w.login().WithExtra(map[string]any{"id_token": idToken(`{"sub":"alice"}`)})
	ended := 0
	cfg := w.config()
	cfg.OnLoginRequired = func(error) { ended++ }
	rt, err := authclient.New(cfg, token)
	require.NoError(t, err)

	_, err = rt.Refresh(t.Context())
	require.ErrorIs(t, err, authclient.ErrLoginRequired)
	assert.ErrorContains(t, err, "another sub")
	_, err = do(t.Context(), rt, http.MethodGet, apiURL, nil)
	require.ErrorIs(t, err, authclient.ErrLoginRequired)
	assert.Empty(t, w.sent())
	assert.Equal(t, 1, ended)
}

// FuzzSameLogin checks that no bytes cause a panic, and that a token is of the same login as itself.
func FuzzSameLogin(f *testing.F) {
	f.Add(`{"iss":"i","sub":"alice","aud":"c"}`, `{"iss":"i","sub":"bob","aud":["c",1]}`)
	f.Add(`{"aud":null,"auth_time":null}`, `[]`)
	f.Fuzz(func(t *testing.T, old, new string) {
		_ = authclient.SameLogin(old, new)
		_ = authclient.SameLogin(idToken(old), idToken(new))
		if json.Valid([]byte(old)) && authclient.SameLogin(idToken(old), idToken(old)) != nil {
			t.Errorf("%q is not of the same login as itself", old)
		}
	})
}
