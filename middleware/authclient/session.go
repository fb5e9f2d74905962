package authclient

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// session holds the token and sees to it that there is one refresh at a time.
type session struct {
	cfg      *Config
	endpoint *tokenEndpoint

	mu       sync.Mutex
	held     *held   // nil: not loaded yet
	ended    error   // not nil: fail fast with it until set
	flight   *flight // not nil: a refresh is under way
	epoch    int     // counts the sign-ins
	failures int     // refreshes that failed one after the other
	retryAt  time.Time
	lastErr  error     // of the last failure
	synced   string    // the access token last seen in or saved to the store
	looked   time.Time // when adoptFromStore last read it
}

// flight is one refresh, and what those who wait for it get. The result is written before done is closed.
type flight struct {
	done     chan struct{}
	from     *oauth2.Token   // the token held when it began; nil: none
	epoch    int             // of the session when it began
	demanded map[string]bool // origins whose 401 asked for it; guarded by the session's mutex
	fetched  bool            // from the authorization server and not from the store
	held     *held
	err      error
}

func newSession(cfg *Config, endpoint *tokenEndpoint, token *oauth2.Token) *session {
	s := &session{cfg: cfg, endpoint: endpoint}
	if token != nil {
		s.held = newHeld(cloneToken(token), cfg.Margin, cfg.Now())
	}
	return s
}

// usable returns a token to send: the one held or, if that is due, its successor. While a successor can't be had the old
// one is good until it expires.
func (s *session) usable(ctx context.Context) (*held, error) {
	s.mu.Lock()
	h, ended := s.held, s.ended
	now := s.cfg.Now()
	fresh := h != nil && !h.isDue(now)
	refused := h != nil && len(h.spoiltBy) > 0
	s.mu.Unlock()
	if ended != nil {
		if !s.adoptFromStore(ctx, h, time.Second) {
			return nil, ended
		}
		return s.usable(ctx)
	}
	if fresh {
		return h, nil
	}
	wait := ctx
	if h != nil && !refused && !h.expired(now) {
		// A server that hangs must not make us wait until the token we have is no longer good either.
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, h.expiry.Sub(now.Round(0))/2)
		defer cancel()
	}
	next, err := s.refresh(wait, h, "")
	if err == nil {
		return next, nil
	}
	if ctx.Err() != nil || errors.Is(err, ErrSessionEnded) {
		return nil, err
	}
	s.mu.Lock()
	h = s.held // a refresh that failed may have found a newer one in the store
	s.mu.Unlock()
	if h != nil && !h.expired(s.cfg.Now()) {
		return h, nil
	}
	return nil, err
}

// errSuppressed stands for a refresh that is not made because it would not help. It does not leave the package.
var errSuppressed = errors.New("authclient: no refresh would help")

// replace returns another token than used, which origin has refused: the one held by now, or one from a refresh.
func (s *session) replace(ctx context.Context, used *held, origin string) (*held, error) {
	s.mu.Lock()
	suppressed := s.held == used && (used.token.RefreshToken == "" || !used.mayRenew(origin))
	s.mu.Unlock()
	if suppressed {
		if !s.adoptFromStore(ctx, used, 0) {
			return nil, errSuppressed
		}
		return s.usable(ctx)
	}
	next, err := s.refresh(ctx, used, origin)
	if err == nil && next.token.AccessToken == used.token.AccessToken {
		// The authorization server hands out the same one until it expires.
		s.reject(next, origin)
		return nil, errSuppressed
	}
	return next, err
}

// mayRenew reports whether a 401 from origin may have h refreshed, and remembers if it may not. The session's mutex is held.
//
// A token that was fetched because of origin and that origin has never accepted is refused for a reason that another
// token does not cure.
func (h *held) mayRenew(origin string) bool {
	if h.demanded[origin] && !h.accepted[origin] {
		h.rejected[origin] = true
	}
	return !h.rejected[origin]
}

// inherit notes for h that origins which have refused old, a token that was fetched for them, and accepted none since need
// not be given another: not because another origin or another process has fetched one. When the clock has, they are given a
// new chance. The session's mutex is held.
func (h *held) inherit(old *held) {
	if old == nil {
		return
	}
	for origin := range old.demanded {
		if !old.accepted[origin] {
			h.demanded[origin] = true
		}
	}
}

// renewNow refreshes whatever is held.
func (s *session) renewNow(ctx context.Context) (*held, error) {
	s.mu.Lock()
	h := s.held
	s.mu.Unlock()
	return s.refresh(ctx, h, "")
}

// refresh returns another token than used: the one held, if that is another one already, or the result of the refresh
// that is under way or is begun here. Origin is the one whose 401 asks for it, "" if none did.
func (s *session) refresh(ctx context.Context, used *held, origin string) (*held, error) {
	s.mu.Lock()
	if s.ended != nil {
		defer s.mu.Unlock()
		return nil, s.ended
	}
	if h := s.held; h != nil && h != used && (used == nil || h.token.AccessToken != used.token.AccessToken) {
		s.mu.Unlock()
		return h, nil
	}
	if s.flight == nil {
		if s.cfg.Now().Before(s.retryAt) {
			defer s.mu.Unlock()
			return nil, s.lastErr
		}
		f := &flight{done: make(chan struct{}), epoch: s.epoch, demanded: make(map[string]bool)}
		if s.held != nil {
			f.from = s.held.token
			maps.Copy(f.demanded, s.held.spoiltBy)
		}
		s.flight = f
		// Detached: the refresh token is spent once it is sent, and its successor must not be lost because the one
		// caller who happened to come first has gone. run is bounded by cfg.Timeout and persistTimeout.
		go s.run(context.WithoutCancel(ctx), f)
	}
	f := s.flight
	if origin != "" {
		f.demanded[origin] = true
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.held, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run makes the refresh f and publishes what came of it.
func (s *session) run(ctx context.Context, f *flight) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	token, err := s.renew(ctx, f)

	s.mu.Lock()
	if s.flight == f {
		s.flight = nil
	}
	var over *endedError
	switch {
	case s.epoch != f.epoch: // a sign-in has overtaken us: its token is the answer
		f.held = s.held
	case err == nil:
		old := s.held
		s.held = newHeld(token, s.cfg.Margin, s.cfg.Now())
		if f.fetched {
			s.held.demanded = f.demanded
		}
		if len(f.demanded) > 0 {
			s.held.inherit(old)
		}
		f.held = s.held
		s.failures, s.retryAt, s.lastErr = 0, time.Time{}, nil
	case errors.As(err, &over):
		f.err = fmt.Errorf("%w: %w", ErrSessionEnded, over.cause)
		if over.forGood {
			s.ended = f.err
		}
	default:
		if token != nil { // found in the store, but could not be refreshed
			s.held = newHeld(token, s.cfg.Margin, s.cfg.Now())
		}
		s.failures++
		f.err = fmt.Errorf("%w: %w", ErrRefreshFailed, err)
		s.retryAt, s.lastErr = s.cfg.Now().Add(pause(s.failures, err)), f.err
	}
	notify := f.err != nil && s.ended == f.err && s.epoch == f.epoch
	s.mu.Unlock()
	if notify && s.cfg.OnSessionEnded != nil {
		s.cfg.OnSessionEnded(f.err)
	}
}

// set begins a new session with token.
func (s *session) set(ctx context.Context, token *oauth2.Token) error {
	s.mu.Lock()
	s.epoch++
	s.flight = nil
	s.ended = nil
	s.failures, s.retryAt, s.lastErr = 0, time.Time{}, nil
	s.held = newHeld(cloneToken(token), s.cfg.Margin, s.cfg.Now())
	s.mu.Unlock()

	// A refresh of the old session may still hold the lock; what it saves is overwritten here.
	unlock, err := s.cfg.Store.Lock(ctx)
	if err != nil {
		return fmt.Errorf("authclient: store: %w", err)
	}
	defer unlock()
	return s.store(ctx, token)
}

// spoil marks h as refused by origin, so that the next request refreshes it.
func (s *session) spoil(h *held, origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == h && h.token.RefreshToken != "" && h.mayRenew(origin) {
		h.spoiltBy[origin] = true
	}
}

func (s *session) accept(h *held, origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.accepted[origin] = true
}

// reject notes that origin has refused h when a request was sent again with it. That counts if h was fetched because origin
// had refused another; if h was there before, whatever spoilt that one may have spoilt h too, and the next request finds out.
func (s *session) reject(h *held, origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.demanded[origin] {
		h.rejected[origin] = true
	}
}

func (s *session) current() *oauth2.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		return nil
	}
	return cloneToken(s.held.token)
}
