package authserver_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// Neither logs nor events hold a secret, whatever goes wrong in the life of a grant.
func TestLogsAndEventsHoldNoSecret(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, func(w *world) {
		w.cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	b := w.browser()
	b.submit(b.get(authorizeURL()), "username", "alice", "password", "wrong-password-1")
	code := w.code()
	first := w.exchange(code)
	second := w.refresh(first.str("refresh_token"))
	w.refresh(first.str("refresh_token"))
	w.do(as(formRequest("/token", "grant_type", "refresh_token", "refresh_token", second.str("refresh_token")), mvcID, "wrong-secret-1"))
	w.form("/token", "grant_type", "refresh_token", "refresh_token", second.str("refresh_token"), "client_id", "spa")
	w.refresh(second.str("refresh_token"), "scope", "nonsense")
	w.advance(time.Minute)
	w.refresh(first.str("refresh_token"))
	w.exchange(code)
	w.mvc("/introspect", "token", second.str("access_token"))
	w.mvc("/revoke", "token", second.str("access_token"))
	w.store.Store = brokenStore{w.store.Store}
	w.refresh(second.str("refresh_token"))

	text := log.String()
	for _, secret := range []string{code, first.str("refresh_token"), first.str("access_token"), first.str("id_token"),
		second.str("refresh_token"), second.str("access_token"), mvcKey, "wrong-secret-1", "wrong-password-1", verifier, challenge()} {
		assert.NotContains(t, text, secret)
	}
	for sign := range strings.SplitSeq(second.str("access_token"), ".") {
		assert.NotContains(t, text, sign)
	}
	for _, kind := range []string{"token.issued", "refresh.rotated", "refresh.replayed", "refresh.reuse", "client.mismatch", "client.failed",
		"code.replayed", "login.failed", "login.succeeded"} {
		assert.Contains(t, text, "kind="+kind)
		assert.Contains(t, w.kindsSeen(), kind)
	}
}

func TestEventFields(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("refresh_token")
	w.refresh(token)
	w.advance(time.Minute)
	w.kinds()
	w.refresh(token)
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Len(t, w.events, 1)
	e := w.events[0]
	assert.Equal(t, authserver.Event{Kind: "refresh.reuse", ClientID: mvcID, Subject: "alice-1", GrantID: e.GrantID, Generation: 1, Current: 2,
		Count: 1, RemoteAddr: "192.0.2.1:1234"}, e)
	assert.Len(t, e.GrantID, 22)
}
