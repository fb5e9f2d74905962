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

// leaving is a store whose client hangs up when a grant is read, when a revocation begins, or when a step has come too
// late, and that does nothing for whom has gone.
type leaving struct {
	authserver.Store
	revoking, late func()
	read           func() error
}

func (l *leaving) Advance(ctx context.Context, step authserver.Step) error {
	err := l.Store.Advance(ctx, step)
	if l.late != nil && errors.Is(err, authserver.ErrConflict) {
		l.late()
	}
	return err
}

func (l *leaving) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	if l.read != nil {
		if err := l.read(); err != nil {
			return authserver.Grant{}, err
		}
	}
	return l.Store.Grant(ctx, id)
}

func (l *leaving) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (int, error) {
	if l.revoking != nil {
		l.revoking()
	}
	return l.Store.Revoke(ctx, sel, reason, now)
}

// TestRevocationOutlivesItsRequest: pages send a revocation or a logout when they are closed, and nobody waits for the
// answer.
func TestRevocationOutlivesItsRequest(t *testing.T) {
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
			w.store.Store = &leaving{Store: w.store.Store, revoking: cancel, read: func() error { cancel(); return nil }}
			row.last(w, ctx, tokens)
			assert.Equal(t, row.reason, w.row(tokens.str("refresh_token")).RevokeReason)
		})
	}
}

// TestLoserOfARace: whoever finds that another request was faster is the second holder, also if it hangs up at that
// moment; and it is told that its code or token is no longer good only if that is known.
func TestLoserOfARace(t *testing.T) {
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
		race := func(t *testing.T, leave func(l *leaving, hangUp func())) (w *world, lost reply, won string) {
			w = newWorld(t, func(w *world) { w.cfg.RefreshGrace = 0 })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			form := row.request(w)
			l := &leaving{Store: w.store.Store}
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
		t.Run(row.reason+", and hangs up", func(t *testing.T) {
			w, _, won := race(t, func(l *leaving, hangUp func()) { l.late = hangUp })
			assert.Equal(t, row.reason, w.row(won).RevokeReason)
		})
		t.Run(row.reason+", and the store is down", func(t *testing.T) {
			down := true
			w, lost, won := race(t, func(l *leaving, _ func()) {
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
