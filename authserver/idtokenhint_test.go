package authserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// aliceHint returns an ID token of alice.
func (w *world) aliceHint() string { return w.signIn().str("id_token") }

// OpenID Connect Core, Section 3.1.2.1: the user of the hint, or an error.
func TestIDTokenHint(t *testing.T) {
	w := newWorld(t)
	first := w.signIn()
	hint := first.str("id_token")
	w.advance(time.Hour) // it has expired, and the hint is good all the same

	alice, bob := w.browser(), w.browser()
	alice.submit(alice.get(authorizeURL()), "username", "alice", "password", "alice")
	bob.submit(bob.get(authorizeURL()), "username", "bob", "password", "bob")

	t.Run("the user is signed in", func(t *testing.T) {
		assert.NotEmpty(t, w.answer(alice.get(authorizeURL("id_token_hint", hint))).Get("code"))
		assert.NotEmpty(t, w.answer(alice.get(authorizeURL("id_token_hint", hint, "prompt", "none"))).Get("code"))
	})
	t.Run("somebody else is signed in, and prompt is none", func(t *testing.T) {
		a := w.answer(bob.get(authorizeURL("id_token_hint", hint, "prompt", "none")))
		assert.Equal(t, "login_required", a.Get("error"))
		assert.Equal(t, "xyz", a.Get("state"))
	})
	t.Run("nobody is signed in", func(t *testing.T) {
		a := w.answer(w.browser().get(authorizeURL("id_token_hint", hint, "prompt", "none")))
		assert.Equal(t, "login_required", a.Get("error"))
	})
	t.Run("somebody else is signed in: the form, for that user alone", func(t *testing.T) {
		page := bob.get(authorizeURL("id_token_hint", hint))
		require.Equal(t, http.StatusOK, page.status, page.body)
		w.kinds()
		again := bob.submit(page, "username", "bob", "password", "bob")
		assert.Equal(t, http.StatusForbidden, again.status)
		assert.Contains(t, again.body, "the account that the application asked for")
		assert.Equal(t, []string{"login.failed"}, w.kinds())
		code := w.answer(bob.submit(again, "username", "alice", "password", "alice")).Get("code")
		_, c := claims(t, w.exchange(code).str("id_token"))
		assert.Equal(t, "alice-1", c["sub"])
	})

	key := w.cfg.Keys
	sign := func(typ string, c jwt.MapClaims) string {
		s, err := key.Sign(context.Background(), typ, c)
		require.NoError(t, err)
		return s
	}
	stranger := newWorld(t)
	for name, bad := range map[string]string{
		"garbage":                         "not a token",
		"an access token":                 first.str("access_token"),
		"the signature of another server": stranger.aliceHint(),
		"another issuer":                  sign("JWT", jwt.MapClaims{"iss": "https://other.example", "sub": "alice-1", "aud": mvcID}),
		"no subject":                      sign("JWT", jwt.MapClaims{"iss": issuer, "aud": mvcID}),
		"the claims of another token":     spliced(hint, sign("JWT", jwt.MapClaims{"iss": issuer, "sub": "bob-2", "aud": mvcID})),
		"a refresh token":                 first.str("refresh_token"),
	} {
		for _, prompt := range []string{"", "none", "login"} {
			t.Run(name+" "+prompt, func(t *testing.T) {
				r := alice.get(authorizeURL("id_token_hint", bad, "prompt", prompt))
				assert.Equal(t, "invalid_request", w.answer(r).Get("error"))
				assert.Equal(t, "xyz", w.answer(r).Get("state"))
			})
		}
	}
}

// spliced returns token a with the claims of token b.
func spliced(a, b string) string {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	return x[0] + "." + y[1] + "." + x[2]
}

func TestIDTokenHintWithLoginFunc(t *testing.T) {
	in := &authserver.Login{Subject: "bob-2"}
	var back []string // where the browser is told to come back to, by fresh sign-ins
	w := newWorld(t, func(w *world) {
		w.cfg.Login = func(rw http.ResponseWriter, r *http.Request, fresh bool) (*authserver.Login, error) {
			if fresh {
				back = append(back, r.URL.String())
				http.Redirect(rw, r, "/our-login", http.StatusSeeOther)
				return nil, nil
			}
			return in, nil
		}
	})
	get := func(target string) reply {
		back = nil
		return w.do(httptest.NewRequest("GET", target, nil))
	}
	hint := func() string {
		s, err := w.cfg.Keys.Sign(context.Background(), "JWT", jwt.MapClaims{"iss": issuer, "sub": "alice-1", "aud": mvcID})
		require.NoError(t, err)
		return s
	}()
	assert.Equal(t, "login_required", w.answer(get(authorizeURL("id_token_hint", hint, "prompt", "none"))).Get("error"))
	assert.Empty(t, back, "no page is shown")

	assert.Equal(t, "/our-login", get(authorizeURL("id_token_hint", hint)).header.Get("Location"))
	require.Len(t, back, 1)
	cameBack := back[0]
	assert.Equal(t, "login_required", w.answer(get(issuer+cameBack)).Get("error"), "bob again: no second try")
	assert.Empty(t, back)
	in = &authserver.Login{Subject: "alice-1"}
	assert.NotEmpty(t, w.answer(get(issuer+cameBack)).Get("code"))

	assert.Equal(t, "/our-login", get(authorizeURL("id_token_hint", hint, "prompt", "login")).header.Get("Location"))
	assert.NotEmpty(t, w.answer(get(issuer+back[0])).Get("code"))
}
