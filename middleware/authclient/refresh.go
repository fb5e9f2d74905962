package authclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"
)

// persistTimeout bounds saving a new token, for the Store and for the Save hook each. It is not part of Config.Timeout:
// the old refresh token is spent by then, so the result of a slow refresh must be saved too.
const persistTimeout = 5 * time.Second

// grantEndedError means that there is no usable refresh token.
type grantEndedError struct {
	cause     error
	permanent bool // until the next login; if not, the Store may have a token next time
}

func (e *grantEndedError) Error() string { return e.cause.Error() }
func (e *grantEndedError) Unwrap() error { return e.cause }

// fetchSuccessor returns the successor of call.from, saved: from the Store, if another process was faster, or from the
// authorization server. With an error the token, if not nil, is one that it found in the Store and could not refresh.
func (r *refresher) fetchSuccessor(ctx context.Context, call *refreshCall) (*oauth2.Token, error) {
	unlock, err := r.cfg.Store.Lock(ctx)
	switch {
	case err == nil:
		defer unlock()
	case ctx.Err() != nil: // another process holds it
		return nil, fmt.Errorf("store: %w", err)
	default:
		// A Store that cannot be locked can perhaps not be written either. Without the lock the refresh token may be
		// spent twice, which a server with a grace period forgives. Giving up would end the grant for certain.
		r.reportStoreError("lock", err)
	}

	from, stored := call.from, (*oauth2.Token)(nil)
	loaded := r.load(ctx)
	replaces := r.replaces(loaded, from)
	r.noteStored(loaded)
	if replaces {
		from, stored = loaded, loaded
		if r.usable(stored) {
			return stored, nil
		}
	}
	next, err := r.requestToken(ctx, from)
	if isInvalidGrant(err) {
		// A process that does not share our lock may have spent the refresh token.
		if again := r.load(ctx); again != nil && again.RefreshToken != "" && again.RefreshToken != from.RefreshToken {
			from, stored = again, again
			if r.usable(stored) {
				return stored, nil
			}
			next, err = r.requestToken(ctx, from)
		}
	}
	if isInvalidGrant(err) {
		return nil, &grantEndedError{cause: err, permanent: true}
	}
	if err != nil {
		return stored, err
	}
	call.fetched = true
	r.persist(ctx, call, next)
	return next, nil
}

// adoptFromStore replaces used, which must not be refreshed any more, with the token that another process has stored
// meanwhile, and reports whether there was one. It does not ask the authorization server, and reads the Store at most
// once in interval.
func (r *refresher) adoptFromStore(ctx context.Context, used *cachedToken, interval time.Duration) bool {
	now := r.cfg.Now()
	r.mu.Lock()
	lookUp := interval == 0 || now.Sub(r.lastLookup).Abs() >= interval
	if lookUp {
		r.lastLookup = now
	}
	r.mu.Unlock()
	if !lookUp {
		return false
	}
	var from *oauth2.Token
	if used != nil {
		from = used.token
	}
	stored := r.load(ctx)
	if !r.replaces(stored, from) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cached == used {
		r.cached = newCachedToken(cloneToken(stored), r.cfg.Margin, now)
		r.cached.inheritOrigins(used)
		r.ended, r.failures, r.retryAt, r.lastErr = nil, 0, time.Time{}, nil
	}
	return true
}

// requestToken asks the authorization server for the successor of from.
func (r *refresher) requestToken(ctx context.Context, from *oauth2.Token) (*oauth2.Token, error) {
	switch {
	case from == nil:
		return nil, &grantEndedError{cause: errors.New("the store has no token")}
	case from.RefreshToken != "":
		return r.endpoint.refresh(ctx, from)
	case newCachedToken(from, 0, r.cfg.Now()).expired(r.cfg.Now()):
		cause := errors.New("the access token has expired and there is no refresh token")
		return nil, &grantEndedError{cause: cause, permanent: true}
	}
	return nil, errors.New("there is no refresh token")
}

// usable reports whether token can be used without a refresh.
func (r *refresher) usable(token *oauth2.Token) bool {
	now := r.cfg.Now()
	return !newCachedToken(token, r.cfg.Margin, now).isDue(now)
}

// replaces reports whether stored, from the Store, is newer than from.
func (r *refresher) replaces(stored, from *oauth2.Token) bool {
	switch {
	case stored == nil:
		return false
	case from != nil && stored.AccessToken == from.AccessToken:
		return false
	}
	r.mu.Lock()
	lastStored := r.lastStored
	r.mu.Unlock()
	if lastStored != "" {
		return stored.AccessToken != lastStored // somebody else has saved it since
	}
	// This is the first look at the Store: its token may be older than ours, newer, or of another grant.
	return from == nil || !from.Expiry.IsZero() && stored.Expiry.After(from.Expiry)
}

// load returns the stored token, or nil if there is none that could be sent.
func (r *refresher) load(ctx context.Context) *oauth2.Token {
	token, err := r.cfg.Store.Load(ctx)
	if err == nil && token != nil {
		err = checkToken(token)
	}
	if err != nil {
		r.reportStoreError("load", err)
		return nil
	}
	return cloneToken(token)
}

// persist saves next, which is used even if that fails.
func (r *refresher) persist(ctx context.Context, call *refreshCall, next *oauth2.Token) {
	r.mu.Lock()
	replaced := r.logins != call.logins
	r.mu.Unlock()
	if replaced {
		return // next belongs to the grant before the last login
	}
	saveCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), persistTimeout)
	defer cancel()
	if err := r.save(saveCtx, next); err != nil && r.cfg.OnPersistError != nil {
		r.cfg.OnPersistError(err)
	}
	if r.cfg.Save == nil {
		return
	}
	// The hook has its own timeout: a Store that hangs must not use it up.
	hookCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), persistTimeout)
	defer cancel()
	if err := r.cfg.Save(hookCtx, cloneToken(next)); err != nil {
		r.reportStoreError("Save", err)
	}
}

// save saves token to the Store, whose lock is held.
func (r *refresher) save(ctx context.Context, token *oauth2.Token) error {
	if err := r.cfg.Store.Save(ctx, cloneToken(token)); err != nil {
		return fmt.Errorf("authclient: store: %w", err)
	}
	r.noteStored(token)
	return nil
}

// noteStored records that the Store has token, as far as we know.
func (r *refresher) noteStored(token *oauth2.Token) {
	if token == nil {
		return
	}
	r.mu.Lock()
	r.lastStored = token.AccessToken
	r.mu.Unlock()
}

func (r *refresher) reportStoreError(operation string, err error) {
	if r.cfg.OnPersistError != nil {
		r.cfg.OnPersistError(fmt.Errorf("authclient: store: %s: %w", operation, err))
	}
}
