package authserver_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// disconnecting is a store whose client disconnects when a grant is read, when a revocation begins, or after a conflict.
// It does nothing for an ended context.
type disconnecting struct {
	authserver.Store
	revoking, late func()
	read           func() error
}

func (l *disconnecting) Advance(ctx context.Context, step authserver.Step) error {
	err := l.Store.Advance(ctx, step)
	if l.late != nil && errors.Is(err, authserver.ErrConflict) {
		l.late()
	}
	return err
}

func (l *disconnecting) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	if l.read != nil {
		if err := l.read(); err != nil {
			return authserver.Grant{}, err
		}
	}
	return l.Store.Grant(ctx, id)
}

func (l *disconnecting) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (int, error) {
	if l.revoking != nil {
		l.revoking()
	}
	return l.Store.Revoke(ctx, sel, reason, now)
}

// A page sends a revocation or a logout when it is closed, and does not wait for the answer.
func TestDisconnectDoesNotCancelRevocationOrLogout(t *testing.T) {
	for _, row := range []struct {
		reason string
		last   func(w *world, ctx context.Context, tokens reply)
	}{
		{"client", func(w *world, ctx context.Context, tokens reply) {
			w.do(as(formRequest("/revoke", "token", tokens.str("refresh_token")), mvcID, mvcKey).WithContext(ctx))
		}},
		{"logout", func(w *world, ctx context.Context, tokens reply) {
			target := issuer + "/end_session?" + url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode()
			w.do(httptest.NewRequest(http.MethodGet, target, nil).WithContext(ctx))
		}},
		{"user", func(w *world, ctx context.Context, _ reply) {
			_, err := w.srv.IssueTokens(ctx, authserver.IssueRequest{ClientID: "spa", Subject: "alice-1", EndOthers: true})
			assert.NoError(w.t, err)
		}},
	} {
		t.Run(row.reason, func(t *testing.T) {
			w := newWorld(t)
			tokens := w.signIn()
			ctx, cancel := context.WithCancel(t.Context())
			w.store.Store = &disconnecting{Store: w.store.Store, revoking: cancel, read: func() error { cancel(); return nil }}
			row.last(w, ctx, tokens)
			assert.Equal(t, row.reason, w.row(tokens.str("refresh_token")).RevokeReason)
		})
	}
}

// A request that finds that another one was faster comes from a second holder, even if it disconnects at that moment. Its
// answer is invalid_grant only if that is certain.
func TestSlowerOfTwoRequests(t *testing.T) {
	for _, row := range []struct {
		reason  string
		request func(w *world) []string
	}{
		{"code_replay", func(w *world) []string {
			return []string{"grant_type", "authorization_code", "code", w.code(), "redirect_uri", mvcBack, "code_verifier", verifier}
		}},
		{"reuse", func(w *world) []string {
			return []string{"grant_type", "refresh_token", "refresh_token", w.signIn().str("refresh_token")}
		}},
	} {
		// race returns the answer to the slower one of two equal requests, and the refresh token that the faster one got.
		race := func(t *testing.T, leave func(l *disconnecting, disconnectingStore func())) (w *world, lost reply, won string) {
			w = newWorld(t, func(w *world) { w.cfg.RefreshGrace = 0 })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			form := row.request(w)
			l := &disconnecting{Store: w.store.Store}
			w.store.Store = l
			w.store.set(func(authserver.Step) error {
				w.store.set(nil, nil)
				first := w.mvc("/token", form...)
				require.Equal(t, http.StatusOK, first.status, first.body)
				won = first.str("refresh_token")
				leave(l, cancel)
				return nil
			}, nil)
			lost = w.do(as(formRequest("/token", form...), mvcID, mvcKey).WithContext(ctx))
			return w, lost, won
		}
		t.Run(row.reason+", and disconnects", func(t *testing.T) {
			w, _, won := race(t, func(l *disconnecting, disconnectingStore func()) { l.late = disconnectingStore })
			assert.Equal(t, row.reason, w.row(won).RevokeReason)
		})
		t.Run(row.reason+", and the store is down", func(t *testing.T) {
			down := true
			w, lost, won := race(t, func(l *disconnecting, _ func()) {
				l.read = func() error {
					if down {
						return errBroken
					}
					return nil
				}
			})
			w.refused(lost, "temporarily_unavailable")
			down = false
			assert.Empty(t, w.row(won).RevokeReason)
		})
	}
}

// disconnectingStore is a store whose client disconnects after it has read a grant or changed one. It does nothing for an
// ended context.
type disconnectingStore struct {
	authserver.Store
	read, changed context.CancelFunc
}

func (h disconnectingStore) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	defer h.read()
	return h.Store.Grant(ctx, id)
}

func (h disconnectingStore) Advance(ctx context.Context, step authserver.Step) error {
	defer h.changed()
	return h.Store.Advance(ctx, step)
}

func (h disconnectingStore) Grants(ctx context.Context, sel authserver.Selector, now time.Time, limit int) ([]authserver.Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return h.Store.Grants(ctx, sel, now, limit)
}

func (h disconnectingStore) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return h.Store.Revoke(ctx, sel, reason, now)
}

// A client that disconnects before the answer does not keep a grant that must be revoked.
func TestDisconnectDoesNotCancelRevocation(t *testing.T) {
	exchange := func(code string) *http.Request {
		return formRequest("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", mvcBack, "code_verifier", verifier)
	}
	for _, row := range []struct {
		reason string
		last   func(w *world, code, token string) *http.Request // ends the grant of token, which came for code
	}{
		{"reuse", func(w *world, _, token string) *http.Request {
			w.refresh(token)
			w.advance(time.Minute)
			return formRequest("/token", "grant_type", "refresh_token", "refresh_token", token)
		}},
		{"code_replay", func(_ *world, code, _ string) *http.Request { return exchange(code) }},
		{"cap", func(w *world, _, _ string) *http.Request { return exchange(w.code()) }},
	} {
		t.Run(row.reason, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.cfg.GrantsPerClient = 1 })
			code := w.code()
			token := w.exchange(code).str("refresh_token")
			w.advance(time.Second)
			ctx, cancel := context.WithCancel(t.Context())
			last := as(row.last(w, code, token), mvcID, mvcKey).WithContext(ctx)
			h := disconnectingStore{w.store.Store, cancel, cancel}
			if row.reason == "cap" { // the new grant has to be there
				h.read = func() {}
			}
			w.store.Store = h
			w.do(last)
			assert.Equal(t, row.reason, w.row(token).RevokeReason)
		})
	}
}
