package authserver_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/authserver"
)

// Two sign-ins of the same millisecond revoke the same grants, in whatever order a store lists them.
func TestGrantLimitForSimultaneousSignIns(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.GrantsPerClient = 1 })
	a, b := w.code(), w.code()
	store := &bothWays{Store: w.store.Store}
	w.store.Store = store
	var second string
	store.other = func() { second = w.exchange(b).str("refresh_token") }
	first := w.exchange(a).str("refresh_token")
	alive := 0
	for _, token := range []string{first, second} {
		if w.row(token).RevokedAt.IsZero() {
			alive++
		}
	}
	assert.Equal(t, 1, alive)
}

// bothWays is a store that lists grants of one moment in another order each time.
type bothWays struct {
	authserver.Store
	other func()
	seen  []authserver.Grant
}

func (s *bothWays) Grants(ctx context.Context, sel authserver.Selector, now time.Time, limit int) ([]authserver.Grant, error) {
	if other := s.other; other != nil {
		s.other = nil
		other()
		return s.seen, nil
	}
	list, err := s.Store.Grants(ctx, sel, now, limit)
	s.seen = slices.Clone(list)
	slices.Reverse(s.seen)
	return list, err
}

func TestGrantsPerClient(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.GrantsPerClient = 2 })
	var tokens []string
	for range 3 {
		tokens = append(tokens, w.signIn().str("refresh_token"))
		w.advance(time.Second)
	}
	w.refused(w.refresh(tokens[0]), "invalid_grant")
	assert.Equal(t, "cap", w.row(tokens[0]).RevokeReason)
	for _, token := range tokens[1:] {
		assert.Equal(t, http.StatusOK, w.refresh(token).status)
	}
}
