package authclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// refresher caches the token of one grant and makes one refresh at a time.
type refresher struct {
	cfg      *Config
	endpoint *tokenEndpoint

	mu         sync.Mutex
	cached     *cachedToken // nil: not loaded yet
	ended      error        // not nil: every request fails with it until setToken
	call       *refreshCall // not nil: a refresh is in progress
	logins     int          // counts calls of setToken
	failures   int          // failed refreshes in a row
	retryAt    time.Time
	lastErr    error     // of the last failure
	lastStored string    // the access token last seen in the Store or saved to it
	lastLookup time.Time // when adoptFromStore last read the Store
}

// refreshCall is one refresh and its result. The result is written before done is closed.
type refreshCall struct {
	done        chan struct{}
	from        *oauth2.Token   // the cached token when it started; nil: none
	logins      int             // refresher.logins when it started
	requestedBy map[string]bool // origins whose 401 asked for it; guarded by the refresher's mutex
	fetched     bool            // from the authorization server, not from the Store
	token       *cachedToken
	err         error
}

func newRefresher(cfg *Config, endpoint *tokenEndpoint, token *oauth2.Token) *refresher {
	r := &refresher{cfg: cfg, endpoint: endpoint}
	if token != nil {
		r.cached = newCachedToken(cloneToken(token), cfg.Margin, cfg.Now())
	}
	return r
}

// validToken returns a token to send: the cached one or, if that is due, its successor. While a refresh fails, the
// cached token is used until it expires.
func (r *refresher) validToken(ctx context.Context) (*cachedToken, error) {
	r.mu.Lock()
	token, ended := r.cached, r.ended
	now := r.cfg.Now()
	fresh := token != nil && !token.isDue(now)
	rejected := token != nil && token.refreshNext()
	r.mu.Unlock()
	if ended != nil {
		if !r.adoptFromStore(ctx, token, time.Second) {
			return nil, ended
		}
		return r.validToken(ctx)
	}
	if fresh {
		return token, nil
	}
	wait := ctx
	if token != nil && !rejected && !token.expired(now) {
		// A server that hangs must not keep us waiting until the cached token has expired too.
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, token.expiry.Sub(now.Round(0))/2)
		defer cancel()
	}
	next, err := r.refresh(wait, token, "")
	if err == nil {
		return next, nil
	}
	if ctx.Err() != nil || errors.Is(err, ErrLoginRequired) {
		return nil, err
	}
	r.mu.Lock()
	token = r.cached // a failed refresh may have found a newer one in the Store
	r.mu.Unlock()
	if token != nil && !token.expired(r.cfg.Now()) {
		return token, nil
	}
	return nil, err
}

// errNoRefresh means that no refresh was made because it would not help. It does not leave the package.
var errNoRefresh = errors.New("authclient: a refresh would not help")

// replaceRejected returns another token than used, which origin has rejected: the cached one if it is newer, or the
// result of a refresh.
func (r *refresher) replaceRejected(ctx context.Context, used *cachedToken, origin string) (*cachedToken, error) {
	r.mu.Lock()
	suppressed := r.cached == used && (used.token.RefreshToken == "" || !used.opinion(origin).mayRefresh())
	r.mu.Unlock()
	if suppressed {
		if !r.adoptFromStore(ctx, used, 0) {
			return nil, errNoRefresh
		}
		return r.validToken(ctx)
	}
	next, err := r.refresh(ctx, used, origin)
	if err == nil && next.token.AccessToken == used.token.AccessToken {
		// This authorization server returns the same access token until it expires.
		r.markRetryRejected(next, origin)
		return nil, errNoRefresh
	}
	return next, err
}

// refreshNow refreshes the cached token, even if it is not due.
func (r *refresher) refreshNow(ctx context.Context) (*cachedToken, error) {
	r.mu.Lock()
	token := r.cached
	r.mu.Unlock()
	return r.refresh(ctx, token, "")
}

// refresh returns another token than used: the cached one if it is newer, or the result of the refresh that is in
// progress or starts here. Origin is the one whose 401 asks for it, or "".
func (r *refresher) refresh(ctx context.Context, used *cachedToken, origin string) (*cachedToken, error) {
	r.mu.Lock()
	if r.ended != nil {
		defer r.mu.Unlock()
		return nil, r.ended
	}
	if t := r.cached; t != nil && t != used && (used == nil || t.token.AccessToken != used.token.AccessToken) {
		r.mu.Unlock()
		return t, nil
	}
	if r.call == nil {
		if r.cfg.Now().Before(r.retryAt) {
			defer r.mu.Unlock()
			return nil, r.lastErr
		}
		r.call = r.newCall()
		// The refresh is detached from its caller: the refresh token is spent once it is sent, and a caller that leaves
		// must not lose the successor. run is bounded by cfg.Timeout and persistTimeout.
		go r.run(context.WithoutCancel(ctx), r.call)
	}
	call := r.call
	if origin != "" {
		call.requestedBy[origin] = true
	}
	r.mu.Unlock()
	select {
	case <-call.done:
		return call.token, call.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newCall returns a refreshCall for the cached token. The mutex is held.
func (r *refresher) newCall() *refreshCall {
	call := &refreshCall{done: make(chan struct{}), logins: r.logins, requestedBy: make(map[string]bool)}
	if r.cached != nil {
		call.from = r.cached.token
		for origin, o := range r.cached.origins {
			if o.refreshNext {
				call.requestedBy[origin] = true
			}
		}
	}
	return call
}

// run makes the refresh and publishes its result.
func (r *refresher) run(ctx context.Context, call *refreshCall) {
	defer close(call.done)
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	token, err := r.fetchSuccessor(ctx, call)

	r.mu.Lock()
	if r.call == call {
		r.call = nil
	}
	var over *grantEndedError
	switch {
	case r.logins != call.logins: // setToken was faster: its token is the result
		call.token = r.cached
	case err == nil:
		r.cached = r.successor(token, call)
		call.token = r.cached
		r.failures, r.retryAt, r.lastErr = 0, time.Time{}, nil
	case errors.As(err, &over):
		call.err = fmt.Errorf("%w: %w", ErrLoginRequired, over.cause)
		if over.permanent {
			r.ended = call.err
		}
	default:
		if token != nil { // found in the Store, but it could not be refreshed
			r.cached = newCachedToken(token, r.cfg.Margin, r.cfg.Now())
		}
		r.failures++
		call.err = fmt.Errorf("%w: %w", ErrRefreshFailed, err)
		r.retryAt, r.lastErr = r.cfg.Now().Add(refreshPause(r.failures, err)), call.err
	}
	notify := call.err != nil && r.ended == call.err && r.logins == call.logins
	r.mu.Unlock()
	if notify && r.cfg.OnLoginRequired != nil {
		r.cfg.OnLoginRequired(call.err)
	}
}

// successor returns the result of a refresh as the next cached token. The mutex is held.
func (r *refresher) successor(token *oauth2.Token, call *refreshCall) *cachedToken {
	next := newCachedToken(token, r.cfg.Margin, r.cfg.Now())
	if call.fetched {
		for origin := range call.requestedBy {
			next.opinion(origin).fetchedFor = true
		}
	}
	if len(call.requestedBy) > 0 {
		next.inheritOrigins(r.cached)
	}
	return next
}

// setToken replaces the grant with that of a new login.
func (r *refresher) setToken(ctx context.Context, token *oauth2.Token) error {
	r.mu.Lock()
	r.logins++
	r.call = nil
	r.ended = nil
	r.failures, r.retryAt, r.lastErr = 0, time.Time{}, nil
	r.cached = newCachedToken(cloneToken(token), r.cfg.Margin, r.cfg.Now())
	r.mu.Unlock()

	// A refresh of the old grant may still hold the lock. What it saves is overwritten here.
	unlock, err := r.cfg.Store.Lock(ctx)
	if err != nil {
		return fmt.Errorf("authclient: store: %w", err)
	}
	defer unlock()
	return r.save(ctx, token)
}

// markRejected records that origin has rejected token, so that the next request refreshes it first.
func (r *refresher) markRejected(token *cachedToken, origin string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := token.opinion(origin); r.cached == token && token.token.RefreshToken != "" && o.mayRefresh() {
		o.refreshNext = true
	}
}

// markAccepted records that origin has accepted token.
func (r *refresher) markAccepted(token *cachedToken, origin string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	token.opinion(origin).accepted = true
}

// markRetryRejected records that origin has rejected token in a retry.
func (r *refresher) markRetryRejected(token *cachedToken, origin string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	token.opinion(origin).retryRejected()
}

func (r *refresher) current() *oauth2.Token {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cached == nil {
		return nil
	}
	return cloneToken(r.cached.token)
}
