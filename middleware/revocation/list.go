package revocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearergate/bearergate/middleware"
)

var (
	// ErrRevoked is the error of Check for a token that is on the list. The middleware answers 401 invalid_token. The
	// client then refreshes, and learns that its grant was revoked.
	ErrRevoked = fmt.Errorf("revocation: the token was revoked: %w", middleware.ErrInvalidToken)

	// ErrStale is the error of Check for every other token of the issuer while the list is stale, with [Reject]. The
	// middleware answers 503 with Retry-After.
	ErrStale = fmt.Errorf("revocation: the list is not up to date: %w", middleware.ErrCheckUnavailable)
)

// List is the revocation list of one issuer. It keeps the revoked grants whose access tokens may still be accepted
// somewhere. Its methods are safe for concurrent use; a Check allocates nothing. [List.Run] keeps it up to date.
//
// The server answers GET URL?since=CURSOR with
//
//	{"revoked":[{"id":"…","exp":1735689600},…],"cursor":"…","more":true}
//
// where
//
//   - id is the jti of a token, or the part of it before the first dot, which names a whole grant: 1 to 128 bytes;
//   - exp is the time in Unix seconds from which nobody accepts such a token anyway;
//   - cursor is where the next request continues;
//   - more says that the next page can be read at once.
//
// The first request has no since and gets everything. If the server rejects a cursor with 400, the List reads
// everything again.
//
// An entry is removed when its exp has passed, and for no other reason. A server that was restarted or restored from a
// backup, and lists less, does not take a revocation back.
//
// An answer is at most 1 MiB of JSON. One that can't be read completely changes nothing and counts as a failed poll.
type List struct {
	cfg     Config
	entries entries
	client  *client
	base    time.Time     // the origin of clock
	ready   chan struct{} // closed after the first complete read
	asOf    atomic.Int64  // the clock when the last complete answer was asked for, or incomplete
	running atomic.Bool

	// Only the goroutine in Run uses these.
	cursor       string        // where the next request continues
	lastSweep    int64         // when expired entries were last removed, in Unix seconds
	runSince     time.Duration // the clock when Run began
	overflowed   bool          // entries did not fit since the last complete read
	removedEarly bool          // entries were removed while Now was ahead, and not read again yet
	lastKind     string        // the kind of the last Event

	mu       sync.Mutex
	failures int
	lastErr  error
	overflow bool // overflowed, as of the last poll
}

// incomplete is the value of asOf while entries may be missing.
const incomplete = -1

// New returns a List for cfg. The list is stale until Run has read it. New does no I/O and starts nothing. Its error
// names every problem of cfg at once.
func New(cfg *Config) (*List, error) {
	resolved, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	l := &List{cfg: resolved, client: newClient(&resolved), base: time.Now(), ready: make(chan struct{})}
	l.cfg.ClientSecret = "" // the client has it
	l.asOf.Store(incomplete)
	return l, nil
}

// Check has the signature of middleware.Config.Check. It returns [ErrRevoked] for a token of the issuer whose jti is
// on the list, whole or up to its first dot. Otherwise it returns [ErrStale] if the list is stale and WhenStale is
// [Reject], and nil for all other tokens. The package documentation lists what is not checked. Check does no I/O.
func (l *List) Check(_ context.Context, tok *middleware.Token) error {
	if tok.Issuer() != l.cfg.Issuer {
		return nil
	}
	if l.contains(tok.ID()) {
		return ErrRevoked
	}
	if l.cfg.WhenStale == Reject && l.stale() {
		return ErrStale
	}
	return nil
}

func (l *List) contains(jti string) bool {
	if l.entries.contains(jti) {
		return true
	}
	grant, _, found := strings.Cut(jti, ".")
	return found && grant != "" && l.entries.contains(grant)
}

// clock is the monotonic clock.
func (l *List) clock() time.Duration { return time.Since(l.base) }

// stale reads the clock every time, because the list must become stale also when nothing runs that could mark it so.
func (l *List) stale() bool {
	at := l.asOf.Load()
	return at == incomplete || l.clock()-time.Duration(at) > l.cfg.MaxAge
}

// Ready waits until the list was read completely for the first time, or ctx ends. After that it returns nil at once,
// also while the list is stale: a restart would not help.
//
// With [Accept] it also returns nil once MaxEntries entries were read and more are left. Waiting would not help, and an
// API that is never ready rejects more than Reject does.
//
// Its error wraps ErrStale, ctx's cause, and the reason why the last poll failed.
func (l *List) Ready(ctx context.Context) error {
	select {
	case <-l.ready:
		return nil
	default: // an ended ctx does not matter if the list is ready
	}
	select {
	case <-l.ready:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Errorf("%w: it was not read yet: %w", ErrStale, errors.Join(context.Cause(ctx), l.lastErr))
}

// Status is a snapshot of a [List].
type Status struct {
	Stale     bool          // whether [Config].WhenStale applies
	Overflow  bool          // whether there are more entries than MaxEntries; the list is stale until all fit
	Entries   int           // the number of entries kept
	Age       time.Duration // the time since the last complete answer was asked for; 0 while the list is incomplete
	Failures  int           // the number of failed polls in a row
	LastError error         // why the last poll failed; nil if it succeeded
}

// Status returns the state of the list, for a health page or for metrics. It does no I/O.
func (l *List) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Status{
		Stale: l.stale(), Overflow: l.overflow, Entries: l.entries.len(), Failures: l.failures, LastError: l.lastErr,
	}
	if at := l.asOf.Load(); at != incomplete {
		s.Age = l.clock() - time.Duration(at)
	}
	return s
}

// String returns a text that names the issuer.
func (l *List) String() string { return fmt.Sprintf("revocation list of %q", l.cfg.Issuer) }

// Format prints String for every verb.
func (l *List) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) }
