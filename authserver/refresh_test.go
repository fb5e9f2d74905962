package authserver_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// Each test is a row of the state machine: what is presented, what happens, what is answered.

func TestCurrentTokenRotates(t *testing.T) {
	w := newWorld(t)
	first := w.signIn().str("refresh_token")
	w.kinds()
	r := w.refresh(first)
	require.Equal(t, http.StatusOK, r.status, r.body)
	assert.NotEqual(t, first, r.str("refresh_token"))
	assert.Equal(t, []string{"refresh.rotated"}, w.kinds())
	g := w.row(r.str("refresh_token"))
	assert.EqualValues(t, 2, g.Generation)
	assert.Equal(t, w.now().Add(14*24*time.Hour), g.IdleExpiresAt)
}

func TestRotationNeverAndNearExpiry(t *testing.T) {
	t.Run("never", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.client(mvcID).Rotation = authserver.RotateNever })
		first := w.signIn().str("refresh_token")
		w.advance(13 * 24 * time.Hour)
		r := w.refresh(first)
		assert.Equal(t, first, r.str("refresh_token"), "the same token, not none: clients save whatever comes back")
		w.advance(13 * 24 * time.Hour)
		assert.Equal(t, first, w.refresh(first).str("refresh_token"), "each use puts the idle end off")
		w.advance(5 * 24 * time.Hour)
		w.refused(w.refresh(first), "invalid_grant") // the absolute end is where it was
	})
	t.Run("near expiry", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.client(mvcID).Rotation = authserver.RotateNearExpiry })
		first := w.signIn().str("refresh_token")
		w.advance(9 * 24 * time.Hour)
		assert.Equal(t, first, w.refresh(first).str("refresh_token"))
		w.advance(24 * time.Hour)
		r := w.refresh(first)
		assert.NotEqual(t, first, r.str("refresh_token"), "70 % of 14 days have passed")
		w.kinds()
		assert.Equal(t, r.str("refresh_token"), w.refresh(first).str("refresh_token"), "in the grace")
		assert.Equal(t, []string{"refresh.replayed"}, w.kinds())
	})
}

func TestSupersededTokenWithinTheGrace(t *testing.T) {
	w := newWorld(t)
	first := w.signIn().str("refresh_token")
	second := w.refresh(first)
	w.kinds()
	w.advance(10 * time.Second)
	for range 3 {
		r := w.refresh(first)
		require.Equal(t, http.StatusOK, r.status, r.body)
		assert.Equal(t, second.str("refresh_token"), r.str("refresh_token"), "the identical token for everyone")
		assert.NotEqual(t, second.str("access_token"), r.str("access_token"), "a fresh access token")
	}
	assert.Equal(t, []string{"refresh.replayed", "refresh.replayed", "refresh.replayed"}, w.kinds())
	g := w.row(second.str("refresh_token"))
	assert.EqualValues(t, 2, g.Generation, "the generation does not move")
	assert.Equal(t, 3, g.Replays)
}

func TestSeveralGenerationsBehindWithinTheGrace(t *testing.T) {
	w := newWorld(t)
	first := w.signIn().str("refresh_token")
	second := w.refresh(first).str("refresh_token")
	w.advance(time.Second)
	third := w.refresh(second).str("refresh_token")
	r := w.refresh(first)
	assert.Equal(t, third, r.str("refresh_token"), "three processes that share one grant")
	w.advance(9500 * time.Millisecond)
	assert.Equal(t, third, w.refresh(second).str("refresh_token"), "second was superseded 9.5 s ago")
	w.refused(w.refresh(first), "invalid_grant") // first 10.5 s ago
	w.refused(w.refresh(third), "invalid_grant") // so the grant is over
}

func TestReusedTokenRevokesTheGrant(t *testing.T) {
	w := newWorld(t)
	first := w.signIn().str("refresh_token")
	second := w.refresh(first).str("refresh_token")
	w.advance(10*time.Second + time.Millisecond)
	w.kinds()
	w.refused(w.refresh(first), "invalid_grant")
	assert.Contains(t, w.kinds(), "refresh.reuse")
	w.refused(w.refresh(second), "invalid_grant")
	w.refused(w.refresh(second), "invalid_grant") // revoked
	g := w.row(second)
	assert.Equal(t, "reuse", g.RevokeReason)
	assert.Equal(t, w.now(), g.RevokedAt)
}

func TestWithoutGraceEveryReuseRevokes(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.RefreshGrace = 0 })
	first := w.signIn().str("refresh_token")
	second := w.refresh(first).str("refresh_token")
	w.refused(w.refresh(first), "invalid_grant")
	w.refused(w.refresh(second), "invalid_grant")
}

func TestTokenAheadOfTheStore(t *testing.T) {
	rollback := func(maxRollback int) (*world, string) {
		w := newWorld(t, func(w *world) { w.cfg.MaxRollback = maxRollback })
		before := w.signIn().str("refresh_token")
		old := w.row(before)
		ahead := w.refresh(w.refresh(before).str("refresh_token")).str("refresh_token") // generation 3
		lost := authserver.NewMemoryStore()                                             // restored from before the two rotations
		require.NoError(t, lost.Create(t.Context(), old))
		w.store.Store = lost
		w.kinds()
		return w, ahead
	}
	t.Run("by default it is refused, with an event", func(t *testing.T) {
		w, ahead := rollback(0)
		w.refused(w.refresh(ahead), "invalid_grant")
		assert.Equal(t, []string{"store.rollback"}, w.kinds())
		assert.True(t, w.row(ahead).RevokedAt.IsZero(), "nothing is ended: nobody did anything wrong")
	})
	t.Run("with MaxRollback the grant goes on", func(t *testing.T) {
		w, ahead := rollback(2)
		r := w.refresh(ahead)
		require.Equal(t, http.StatusOK, r.status, r.body)
		assert.Equal(t, []string{"store.rollback", "refresh.healed"}, w.kinds())
		assert.EqualValues(t, 4, w.row(ahead).Generation)
		assert.Equal(t, r.str("refresh_token"), w.refresh(ahead).str("refresh_token"), "a retry is in the grace")
	})
	t.Run("but not further than that", func(t *testing.T) {
		w, ahead := rollback(1)
		w.refused(w.refresh(ahead), "invalid_grant")
	})
}

func TestForgedTokensChangeNothing(t *testing.T) {
	w := newWorld(t)
	good := w.signIn().str("refresh_token")
	raw, err := base64.RawURLEncoding.DecodeString(good[4:])
	require.NoError(t, err)
	forge := func(at int) string {
		b := append([]byte(nil), raw...)
		b[at] ^= 1
		return "rt1_" + base64.RawURLEncoding.EncodeToString(b)
	}
	_, otherKey := newWorld(t), "rt1_"+strings.Repeat("A", 72)
	for name, token := range map[string]string{
		"version": forge(0), "key id": forge(1), "grant id": forge(2), "generation": forge(21), "MAC": forge(53), "first of MAC": forge(22),
		"all zero": otherKey, "empty body": "rt1_", "no prefix": good[4:], "other prefix": "ac1_" + good[4:], "padded": good + "=",
		"line break": good[:20] + "\n" + good[20:], "last bits not zero": good[:75] + "~", "longer": good + "AAAA", "hex": "4d3f3061e8e049689a586d8dfcba0d08",
	} {
		w.refused(w.refresh(token), "invalid_grant")
		g := w.row(good)
		assert.True(t, g.RevokedAt.IsZero(), name)
		assert.EqualValues(t, 1, g.Generation, name)
	}
	assert.Equal(t, http.StatusOK, w.refresh(good).status)
}

func TestRefreshTokenOfAnotherClient(t *testing.T) {
	w := newWorld(t)
	mvc := w.signIn().str("refresh_token")
	w.refresh(mvc) // so that it is superseded, and would end the grant after the grace
	w.advance(time.Minute)
	w.kinds()
	r := w.form("/token", "grant_type", "refresh_token", "client_id", "spa", "refresh_token", mvc)
	w.refused(r, "invalid_grant")
	assert.Equal(t, []string{"client.mismatch"}, w.kinds())
	assert.True(t, w.row(mvc).RevokedAt.IsZero())
}

func TestExpiredGrants(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		w := newWorld(t)
		first := w.signIn().str("refresh_token")
		w.advance(14*24*time.Hour - time.Millisecond)
		second := w.refresh(first)
		require.Equal(t, http.StatusOK, second.status)
		w.advance(14 * 24 * time.Hour)
		w.refused(w.refresh(second.str("refresh_token")), "invalid_grant")
	})
	t.Run("absolute", func(t *testing.T) {
		w := newWorld(t)
		token := w.signIn().str("refresh_token")
		for range 29 {
			w.advance(24 * time.Hour)
			token = w.refresh(token).str("refresh_token")
		}
		w.advance(24 * time.Hour)
		w.refused(w.refresh(token), "invalid_grant")
		assert.True(t, w.row(token).RevokedAt.IsZero(), "expired is not revoked")
	})
}

func TestRevokeWithAnyGeneration(t *testing.T) {
	w := newWorld(t)
	first := w.signIn().str("refresh_token")
	second := w.refresh(first).str("refresh_token")
	w.advance(time.Hour)
	assert.Equal(t, http.StatusOK, w.mvc("/revoke", "token", first).status)
	w.refused(w.refresh(second), "invalid_grant")
	assert.Equal(t, "client", w.row(second).RevokeReason)
}

func TestCodeReplayRevokesTheGrant(t *testing.T) {
	w := newWorld(t)
	code := w.code()
	first := w.exchange(code)
	w.kinds()
	// Somebody who saw the code but not the verifier revokes nothing.
	w.refused(w.mvc("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", mvcBack, "code_verifier",
		strings.Repeat("x", 43)), "invalid_grant")
	w.refused(w.form("/token", "grant_type", "authorization_code", "client_id", "spa", "code", code, "redirect_uri", mvcBack,
		"code_verifier", verifier), "invalid_grant")
	second := w.refresh(first.str("refresh_token"))
	require.Equal(t, http.StatusOK, second.status, second.body)
	w.refused(w.exchange(code), "invalid_grant")
	assert.Contains(t, w.kinds(), "code.replayed")
	w.refused(w.refresh(second.str("refresh_token")), "invalid_grant")
	assert.Equal(t, "code_replay", w.row(second.str("refresh_token")).RevokeReason)
}

func TestRevokeBySelector(t *testing.T) {
	w := newWorld(t)
	one, two := w.signIn().str("refresh_token"), w.signIn().str("refresh_token")
	list, err := w.srv.Grants(t.Context(), authserver.Selector{Subject: "alice-1"})
	require.NoError(t, err)
	assert.Len(t, list, 2)
	n, err := w.srv.Revoke(t.Context(), authserver.Selector{Subject: "alice-1", Except: w.row(two).ID}, "user")
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	w.refused(w.refresh(one), "invalid_grant")
	assert.Equal(t, http.StatusOK, w.refresh(two).status)
	_, err = w.srv.Revoke(t.Context(), authserver.Selector{}, "user")
	assert.Error(t, err, "nothing named is not everything")
}

func TestScopeOfTheRefreshTokenNeverChanges(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("refresh_token")
	narrow := w.refresh(token, "scope", "api1")
	assert.Equal(t, "api1", narrow.str("scope"))
	_, access := claims(t, narrow.str("access_token"))
	assert.Equal(t, "api1", access["scope"])
	assert.NotEmpty(t, narrow.str("id_token"), "clients overwrite what they have with what comes")
	full := w.refresh(narrow.str("refresh_token"), "scope", allScope)
	require.Equal(t, http.StatusOK, full.status, full.body)
	assert.Equal(t, allScope, full.str("scope"))
}

func TestRefreshUsesTheCurrentUserAndClient(t *testing.T) {
	clients := map[string]*authserver.Client{}
	w := newWorld(t, func(w *world) {
		c := *w.client(mvcID)
		c.ID = "dynamic"
		clients["dynamic"] = &c
		w.cfg.LookupClient = func(_ context.Context, id string) (*authserver.Client, error) {
			if c := clients[id]; c != nil {
				return c, nil
			}
			return nil, fmt.Errorf("lookup: %w", authserver.ErrNotFound)
		}
	})
	code := w.code("client_id", "dynamic")
	send := func(pairs ...string) reply { return w.do(as(formRequest("/token", pairs...), "dynamic", mvcKey)) }
	first := send("grant_type", "authorization_code", "code", code, "redirect_uri", mvcBack, "code_verifier", verifier)
	require.Equal(t, http.StatusOK, first.status, first.body)
	token := first.str("refresh_token")
	refresh := func(pairs ...string) reply {
		return send(append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
	}

	u, err := w.users.User(t.Context(), "alice-1")
	require.NoError(t, err)
	u.Claims["name"] = "Alice Jones"
	require.NoError(t, w.users.Set(*u))
	_, id := claims(t, refresh().str("id_token"))
	assert.Equal(t, "Alice Jones", id["name"])

	before := clients["dynamic"]
	gone := *before
	gone.Scopes = []string{"openid", "api1"}
	clients["dynamic"] = &gone
	w.refused(refresh(), "invalid_grant") // offline_access was taken away
	gone.Scopes = []string{"openid", "offline_access"}
	assert.Equal(t, "openid offline_access", refresh().str("scope"), "api1 was taken away")
	w.refused(refresh("scope", "api1"), "invalid_scope")
	gone.GrantTypes = []string{"authorization_code"}
	w.refused(refresh(), "unauthorized_client")
	delete(clients, "dynamic")
	w.refused(refresh(), "invalid_client")
	clients["dynamic"] = before
	assert.Equal(t, http.StatusOK, refresh().status, "it was there all the time")
}

func TestPerClientPolicies(t *testing.T) {
	grace := time.Duration(0)
	w := newWorld(t, func(w *world) {
		c := w.client(mvcID)
		c.AccessTokenLifetime, c.RefreshTokenLifetime, c.RefreshIdleLifetime = time.Minute, 2*time.Hour, time.Hour
		c.RefreshGrace = &grace
	})
	r := w.signIn()
	assert.Equal(t, 60.0, r.json["expires_in"])
	_, access := claims(t, r.str("access_token"))
	assert.Equal(t, 60.0, access["exp"].(float64)-access["iat"].(float64))
	g := w.row(r.str("refresh_token"))
	assert.Equal(t, w.now().Add(time.Hour), g.IdleExpiresAt)
	assert.Equal(t, w.now().Add(2*time.Hour), g.ExpiresAt)
	w.refresh(r.str("refresh_token"))
	w.refused(w.refresh(r.str("refresh_token")), "invalid_grant")
}

func TestRefreshKeysRotate(t *testing.T) {
	old, next := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("n", 32))
	w := newWorld(t, func(w *world) { w.cfg.RefreshKeys = [][]byte{old} })
	token := w.signIn().str("refresh_token")
	restart := func(keys ...[]byte) {
		w.cfg.RefreshKeys = keys
		srv, err := authserver.New(w.cfg)
		require.NoError(t, err)
		w.srv = srv
	}
	restart(next, old)
	second := w.refresh(token)
	require.Equal(t, http.StatusOK, second.status, second.body)
	restart(next)
	w.refused(w.refresh(token), "invalid_grant")
	assert.Equal(t, http.StatusOK, w.refresh(second.str("refresh_token")).status, "made with the new key")
}

func TestTooManyGenerationsBehindRevokes(t *testing.T) {
	w := newWorld(t)
	tokens := []string{w.signIn().str("refresh_token")}
	for range authserver.HistoryLength + 1 {
		tokens = append(tokens, w.refresh(tokens[len(tokens)-1]).str("refresh_token"))
	}
	newest := tokens[len(tokens)-1]
	assert.Equal(t, newest, w.refresh(tokens[1]).str("refresh_token"), "eight behind, in the grace")
	w.refused(w.refresh(tokens[0]), "invalid_grant") // nine behind: the history of the row does not go back that far
	w.refused(w.refresh(newest), "invalid_grant")
}
