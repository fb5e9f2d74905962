package revocation

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearergate/bearergate/middleware"
)

var (
	// ErrRevoked is what Check says of a token that is on the list. The answer is 401 invalid_token, which makes a client
	// refresh, and learn that the session is over.
	ErrRevoked = fmt.Errorf("revocation: the token was revoked: %w", middleware.ErrInvalidToken)

	// ErrStale is what Check says of every other token of the issuer while the list is not up to date, with [Refuse]. The
	// answer is 503 with Retry-After.
	ErrStale = fmt.Errorf("revocation: the list is not up to date: %w", middleware.ErrCheckUnavailable)
)

// A List is the revoked sessions of one issuer, as far as their access tokens may still be accepted somewhere. It is safe for
// concurrent use; a Check takes no lock and allocates nothing. It does nothing by itself: [List.Run] keeps it up to date.
//
// The feed answers GET URL?since=CURSOR with
//
//	{"revoked":[{"id":"…","exp":1735689600},…],"cursor":"…","more":true}
//
// where id is a token's jti, or what its jti begins with up to the first dot, at most 128 bytes; exp is when the last token of it
// ends for everybody, in Unix seconds; cursor is where the next request goes on; and more says that there is more at once.
//
//   - The first request has no since and gets everything. A cursor that the feed refuses with 400 is forgotten, and everything is
//     read again.
//   - An entry goes when exp has passed and for no other reason: a server that was restarted or restored, and says less, takes
//     nothing back.
//   - An answer is at most 1 MiB of JSON. One that can't be read, or not completely, changes nothing and counts as none.
type List struct {
	cfg    Config
	table  table
	source *source
	base   time.Time     // for the monotonic clock
	first  chan struct{} // closed when the list is ready
	asOf   atomic.Int64  // when the last complete answer was asked for, since base; never if the list is incomplete

	running atomic.Bool
	cursor  string        // where the next request goes on; of the goroutine in Run, like the following
	swept   int64         // the time of the last sweep
	began   time.Duration // Run, since base
	over    bool          // there were more entries than MaxEntries, and no complete walk since
	lost    bool          // entries may be missing because the clock was ahead, and there was no complete walk since
	told    string        // the last Event's kind

	mu       sync.Mutex
	failures int
	lastErr  error
	overflow bool // over, after the last poll
}

const never = -1

// New returns a List for cfg, which is stale until it was read. It does no I/O and starts nothing. Its error names every
// problem of cfg at once.
func New(cfg *Config) (*List, error) {
	checked, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	l := &List{cfg: checked, source: newSource(&checked), base: time.Now(), first: make(chan struct{})}
	l.cfg.ClientSecret = "" // the source has it
	l.table.seed = maphash.MakeSeed()
	l.asOf.Store(never)
	return l, nil
}

// Check is for middleware.Config.Check. It returns [ErrRevoked] for a token of the issuer that is on the list, by its jti or by
// what stands before the first dot in it; otherwise [ErrStale] if the list is not up to date and WhenStale is [Refuse]; and nil
// for all others, see the package documentation for what is not checked. It does no I/O.
func (l *List) Check(_ context.Context, tok *middleware.Token) error {
	if tok.Issuer() != l.cfg.Issuer {
		return nil
	}
	if l.listed(tok.ID()) {
		return ErrRevoked
	}
	if l.cfg.WhenStale == Refuse && l.stale() {
		return ErrStale
	}
	return nil
}

func (l *List) listed(jti string) bool {
	if l.table.has(jti) {
		return true
	}
	i := strings.IndexByte(jti, '.')
	return i > 0 && l.table.has(jti[:i])
}

func (l *List) clock() time.Duration { return time.Since(l.base) }

// stale is worked out from the clock every time: it must hold also when nothing runs that could tell.
func (l *List) stale() bool {
	at := l.asOf.Load()
	return at == never || l.clock()-time.Duration(at) > l.cfg.MaxAge
}

// Ready waits until everything was read for the first time, or ctx ends. From then on it returns nil, also while the list is
// stale: a restart would not help. With [Accept] it also returns nil once the feed has more than MaxEntries and as many were
// read, since waiting would not help either, and an API that is never ready refuses more than Refuse does. Its error wraps
// ErrStale, ctx's cause, and why the last poll failed.
func (l *List) Ready(ctx context.Context) error {
	select {
	case <-l.first:
		return nil
	default:
	}
	select {
	case <-l.first:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Errorf("%w: it was not read yet: %w", ErrStale, errors.Join(context.Cause(ctx), l.lastErr))
}

// Status is what a [List] can tell of itself.
type Status struct {
	Stale     bool          // see [Config].WhenStale
	Overflow  bool          // there are more entries than MaxEntries: the list is stale until all fit
	Entries   int           // how many are kept
	Age       time.Duration // since the last complete answer was asked for; 0 if there was none, or the list is not complete
	Failures  int           // how many polls have failed one after the other
	LastError error         // why the last poll failed, nil if it did not
}

// Status tells the state of the list: for a health page, for metrics. It does no I/O.
func (l *List) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Status{Stale: l.stale(), Entries: int(l.table.size.Load()), Failures: l.failures, LastError: l.lastErr, Overflow: l.overflow}
	if at := l.asOf.Load(); at != never {
		s.Age = l.clock() - time.Duration(at)
	}
	return s
}

// String names the issuer.
func (l *List) String() string { return fmt.Sprintf("revocation list of %q", l.cfg.Issuer) }

// Format prints String for every verb.
func (l *List) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) }
