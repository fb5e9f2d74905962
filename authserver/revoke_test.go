package authserver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

func TestRevocation(t *testing.T) {
	w := newWorld(t)
	r := w.signIn()
	for name, token := range map[string]string{"unknown": "rt1_" + r.str("access_token"), "garbage": "x", "an ID token": r.str("id_token")} {
		out := w.mvc("/revoke", "token", token)
		assert.Equal(t, http.StatusOK, out.status, name)
		assert.Empty(t, out.body)
		assert.Equal(t, "no-store", out.header.Get("Cache-Control"))
	}
	assert.Equal(t, http.StatusOK, w.form("/revoke", "token", r.str("refresh_token"), "client_id", "spa").status, "another client: 200, and nothing")
	assert.Equal(t, http.StatusOK, w.form("/revoke", "token", r.str("access_token"), "client_id", "spa").status)
	again := w.refresh(r.str("refresh_token"))
	require.Equal(t, http.StatusOK, again.status)
	w.refused(w.form("/revoke", "token", "x"), "invalid_client")
	w.refused(w.mvc("/revoke"), "invalid_request")
	assert.Equal(t, http.StatusOK, w.mvc("/revoke", "token", again.str("access_token")).status, "by the access token of the grant")
	w.refused(w.refresh(again.str("refresh_token")), "invalid_grant")
}

func TestRevocationWhenTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("refresh_token")
	w.store.Store = brokenStore{w.store.Store}
	w.refused(w.mvc("/revoke", "token", token), "temporarily_unavailable")
	w.refused(w.mvc("/introspect", "token", token), "temporarily_unavailable")
	w.refused(w.refresh(token), "temporarily_unavailable")
}

// No reason that an application gives makes a revocation fail.
func TestAnyReasonCanBeGiven(t *testing.T) {
	for reason, want := range map[string]string{
		"":                                     "",
		"user":                                 "user",
		strings.Repeat("x", 33):                strings.Repeat("x", 32),
		strings.Repeat("x", 31) + "ü":          strings.Repeat("x", 31),
		"zero \x00, not UTF-8 \xff":            "zero , not UTF-8 ",
		strings.Repeat("\x00", 40) + "why\xc3": "why",
	} {
		w := newWorld(t)
		token := w.refreshToken()
		n, err := w.srv.Revoke(t.Context(), authserver.Selector{ID: w.row(token).ID}, reason)
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		assert.Equal(t, want, w.row(token).RevokeReason)
	}
}

// slowStore revokes a hundred grants in each call, and then the call times out.
type slowStore struct {
	authserver.Store
	w *world
}

func (s slowStore) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	list, err := s.Grants(ctx, sel, now, 101)
	if err != nil {
		return 0, err
	}
	for i, g := range list {
		if i == 100 {
			s.w.advance(time.Minute)
			return n, context.DeadlineExceeded
		}
		m, err := s.Store.Revoke(ctx, authserver.Selector{ID: g.ID}, reason, now)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// Many grants are revoked in batches, each with its own time, so that every reader gets all of them.
func TestRevocationOfManyGrants(t *testing.T) {
	w := newWorld(t)
	w.grants(250)
	w.store.Store = slowStore{w.store.Store, w}
	began := w.now()
	n, err := w.srv.Revoke(t.Context(), authserver.Selector{Subject: "bob-2"}, "admin")
	require.NoError(t, err)
	assert.Equal(t, 250, n)
	list, err := w.store.Revoked(t.Context(), time.Time{}, "", began, 0)
	require.NoError(t, err)
	require.Len(t, list, 250)
	for i, r := range list {
		require.Equal(t, began.Add(time.Duration(i/100)*time.Minute), r.At)
	}
	w.store.Store = &failingRevoke{w.store.Store, 0}
	_, err = w.srv.Revoke(t.Context(), authserver.Selector{Subject: "bob-2"}, "admin")
	assert.ErrorIs(t, err, errBroken, "without any progress it is given up")
}

// failingRevoke is a store whose Revoke fails, the first time after it has revoked some grants.
type failingRevoke struct {
	authserver.Store
	some int
}

func (f *failingRevoke) Revoke(context.Context, authserver.Selector, string, time.Time) (n int, err error) {
	n, f.some = f.some, 0
	return n, errBroken
}

// The event has the grants that were revoked before the failure: no later call counts them.
func TestRevocationThatFailsHalfway(t *testing.T) {
	w := newWorld(t)
	w.store.Store = &failingRevoke{w.store.Store, 100}
	n, err := w.srv.Revoke(t.Context(), authserver.Selector{Subject: "bob-2"}, "admin")
	assert.ErrorIs(t, err, errBroken)
	assert.Equal(t, 100, n)
	require.Len(t, w.events, 1)
	assert.Equal(t, authserver.Event{Kind: "grant.revoked", Subject: "bob-2", Reason: "admin", Count: 100}, w.events[0])
}
