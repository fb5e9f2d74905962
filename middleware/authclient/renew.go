package authclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"
)

// persistTimeout bounds the saving of a new token, in the Store and by the Save hook each. It is not part of Config.Timeout: the old refresh token is spent by
// then, and a refresh that took long must be saved too.
const persistTimeout = 5 * time.Second

// endedError says that there is nothing to refresh with.
type endedError struct {
	cause   error
	forGood bool // until the next sign-in; if not, the store may have a token next time
}

func (e *endedError) Error() string { return e.cause.Error() }
func (e *endedError) Unwrap() error { return e.cause }

// renew brings the successor of f.from, saved: from the store, if another process was faster, or from the authorization
// server. With an error the token, if not nil, is one that it found in the store and could not refresh.
func (s *session) renew(ctx context.Context, f *flight) (*oauth2.Token, error) {
	unlock, err := s.cfg.Store.Lock(ctx)
	switch {
	case err == nil:
		defer unlock()
	case ctx.Err() != nil: // another process holds it
		return nil, fmt.Errorf("store: %w", err)
	default:
		// A store that can't be locked can perhaps not be written either. Going on without may spend the refresh token
		// twice, which a server with a grace period forgives; giving up would end the session for certain.
		s.persistFailed("lock", err)
	}

	from, stored := f.from, (*oauth2.Token)(nil)
	loaded := s.load(ctx)
	newer := s.newer(loaded, from)
	s.remember(loaded)
	if newer {
		from, stored = loaded, loaded
		if s.good(stored) {
			return stored, nil
		}
	}
	next, err := s.request(ctx, from)
	if isInvalidGrant(err) {
		// Perhaps it was spent by a process that does not see our lock.
		if again := s.load(ctx); again != nil && again.RefreshToken != "" && again.RefreshToken != from.RefreshToken {
			from, stored = again, again
			if s.good(stored) {
				return stored, nil
			}
			next, err = s.request(ctx, from)
		}
	}
	if isInvalidGrant(err) {
		return nil, &endedError{cause: err, forGood: true}
	}
	if err != nil {
		return stored, err
	}
	f.fetched = true
	s.persist(ctx, f, next)
	return next, nil
}

// adoptFromStore puts the token that another process has stored meanwhile in the place of used, which we may not refresh any
// more, and reports whether there was one. It asks no authorization server. The store is read once in interval.
func (s *session) adoptFromStore(ctx context.Context, used *held, interval time.Duration) bool {
	now := s.cfg.Now()
	s.mu.Lock()
	look := interval == 0 || now.Sub(s.looked).Abs() >= interval
	if look {
		s.looked = now
	}
	s.mu.Unlock()
	if !look {
		return false
	}
	var from *oauth2.Token
	if used != nil {
		from = used.token
	}
	stored := s.load(ctx)
	if !s.newer(stored, from) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == used {
		s.held = newHeld(cloneToken(stored), s.cfg.Margin, now)
		s.held.inherit(used)
		s.ended, s.failures, s.retryAt, s.lastErr = nil, 0, time.Time{}, nil
	}
	return true
}

// request asks the authorization server for the successor of from.
func (s *session) request(ctx context.Context, from *oauth2.Token) (*oauth2.Token, error) {
	switch {
	case from == nil:
		return nil, &endedError{cause: errors.New("the store has no token")}
	case from.RefreshToken != "":
		return s.endpoint.refresh(ctx, from)
	case newHeld(from, 0, s.cfg.Now()).expired(s.cfg.Now()):
		return nil, &endedError{cause: errors.New("the access token has expired and there is no refresh token"), forGood: true}
	}
	return nil, errors.New("there is no refresh token")
}

// good reports whether token can be used without a refresh.
func (s *session) good(token *oauth2.Token) bool {
	now := s.cfg.Now()
	return !newHeld(token, s.cfg.Margin, now).isDue(now)
}

// newer reports whether stored, from the store, is to be used in the place of from.
func (s *session) newer(stored, from *oauth2.Token) bool {
	switch {
	case stored == nil:
		return false
	case from != nil && stored.AccessToken == from.AccessToken:
		return false
	}
	s.mu.Lock()
	synced := s.synced
	s.mu.Unlock()
	if synced != "" {
		return stored.AccessToken != synced // somebody has written since we last did
	}
	// The store was not looked at before: it may have the past of this session, its future or another one.
	return from == nil || !from.Expiry.IsZero() && stored.Expiry.After(from.Expiry)
}

// load returns the stored token, nil if there is none that could be sent.
func (s *session) load(ctx context.Context) *oauth2.Token {
	token, err := s.cfg.Store.Load(ctx)
	if err == nil && token != nil {
		err = checkToken(token)
	}
	if err != nil {
		s.persistFailed("load", err)
		return nil
	}
	return cloneToken(token)
}

// persist saves next, with which the session goes on even if that fails.
func (s *session) persist(ctx context.Context, f *flight, next *oauth2.Token) {
	s.mu.Lock()
	overtaken := s.epoch != f.epoch
	s.mu.Unlock()
	if overtaken {
		return // next belongs to a session that is over
	}
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), persistTimeout)
	defer cancel()
	if err := s.store(storing, next); err != nil && s.cfg.OnPersistError != nil {
		s.cfg.OnPersistError(err)
	}
	if s.cfg.Save == nil {
		return
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), persistTimeout) // a store that hangs leaves the hook its time
	defer cancel()
	if err := s.cfg.Save(saving, cloneToken(next)); err != nil {
		s.persistFailed("Save", err)
	}
}

// store saves token to the store. The lock is held.
func (s *session) store(ctx context.Context, token *oauth2.Token) error {
	if err := s.cfg.Store.Save(ctx, cloneToken(token)); err != nil {
		return fmt.Errorf("authclient: store: %w", err)
	}
	s.remember(token)
	return nil
}

// remember notes that the store has token, as far as we know.
func (s *session) remember(token *oauth2.Token) {
	if token == nil {
		return
	}
	s.mu.Lock()
	s.synced = token.AccessToken
	s.mu.Unlock()
}

func (s *session) persistFailed(what string, err error) {
	if s.cfg.OnPersistError != nil {
		s.cfg.OnPersistError(fmt.Errorf("authclient: store: %s: %w", what, err))
	}
}
