package revocation

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// maxPages bounds one poll: what is left is read by the next one, from where this one ended.
const maxPages = 1000

var (
	errRunning  = errors.New("revocation: Run is running already")
	errOverflow = errors.New("revocation: more entries than MaxEntries")
)

// Run polls the feed, the first time at once, until ctx is done; it returns ctx's error. There is one request at a time, by the
// caller's goroutine, and nothing is left running. A List that nobody runs becomes stale. A second Run at the same time fails.
//
// After a failure the next attempt comes after Interval, doubling up to a quarter of MaxAge if that is more, of which up to a half
// is left to chance; later if the server says so by Retry-After, up to half of MaxAge. A list that has overflowed is read from
// the beginning, but not before some of its entries have ended, and about once in MaxAge.
func (l *List) Run(ctx context.Context) error {
	if !l.running.CompareAndSwap(false, true) {
		return errRunning
	}
	defer l.running.Store(false)
	defer l.source.close()
	l.began = l.clock()
	for {
		began := l.clock()
		err := l.poll(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.settle(err)
		l.tell()
		if err := l.sleep(ctx, l.pause(err, l.clock()-began)); err != nil {
			return err
		}
	}
}

// poll reads what is new.
func (l *List) poll(ctx context.Context) error {
	now := l.cfg.Now().Unix()
	if now < l.swept {
		l.cursor, l.lost = "", true // the clock was ahead, and entries were removed that have not ended: the feed has them still
	}
	l.swept = now
	l.table.sweep(now)
	if l.over && l.table.size.Load() >= int64(l.cfg.MaxEntries) {
		return errOverflow // it can't fit yet
	}
	refused := false
	for range maxPages {
		asked := l.clock()
		p, err := l.source.page(ctx, l.cursor)
		var r *refusal
		switch {
		case errors.As(err, &r) && r.status == http.StatusBadRequest && l.cursor != "" && !refused:
			l.cursor, refused = "", true
			continue
		case err != nil:
			return err
		case p.more && p.cursor == l.cursor:
			return errors.New("there is more, but the cursor stands still")
		}
		if !l.table.add(p.revoked, now, l.cfg.MaxEntries) {
			l.over, l.cursor = true, ""
			l.asOf.Store(never)
			if l.cfg.WhenStale == Accept {
				l.read() // it has become as complete as it can be
			}
			return errOverflow
		}
		l.cursor = p.cursor
		if p.more {
			continue
		}
		l.over, l.lost = false, false
		l.asOf.Store(int64(asked))
		l.read()
		return nil
	}
	return nil
}

// read makes the list ready for good.
func (l *List) read() {
	select {
	case <-l.first:
	default:
		close(l.first)
	}
}

func (l *List) settle(err error) {
	if err != nil && l.lost {
		l.asOf.Store(never)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastErr, l.overflow = err, l.over
	if l.failures++; err == nil {
		l.failures = 0
	}
}

// pause is how long to wait for the next poll.
func (l *List) pause(err error, took time.Duration) time.Duration {
	chance := rand.Float64() //nolint:gosec // nobody gains by guessing it
	of := func(d time.Duration, least float64) time.Duration {
		return time.Duration(float64(d) * (least + (1-least)*chance))
	}
	var r *refusal
	switch {
	case err == nil:
		return max(of(l.cfg.Interval, 0.8)-took, l.cfg.Interval/10)
	case errors.Is(err, errOverflow):
		return max(l.cfg.Interval, of(l.cfg.MaxAge, 0.5))
	case !errors.As(err, &r):
		r = new(refusal)
	}
	longest := max(l.cfg.Interval, l.cfg.MaxAge/4)
	wait := longest
	if n := min(l.failures-1, 62); l.cfg.Interval < longest>>n {
		wait = l.cfg.Interval << n
	}
	most := max(longest, l.cfg.MaxAge/2)
	asked := min(r.retryAfter, most) // a date may be as far away as a Duration goes
	return max(of(wait, 0.5), min(asked+of(asked, 0)/10, most))
}

// sleep waits for d, and tells when the list becomes stale meanwhile.
func (l *List) sleep(ctx context.Context, d time.Duration) error {
	next := time.NewTimer(d)
	defer next.Stop()
	stale := time.NewTimer(l.untilStale())
	defer stale.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
			return nil
		case <-stale.C:
			l.tell()
		}
	}
}

// untilStale is how long it takes until the list becomes stale, and a moment more.
func (l *List) untilStale() time.Duration {
	at := time.Duration(l.asOf.Load())
	if at == never {
		at = l.began
	}
	return max(at+l.cfg.MaxAge-l.clock(), 0) + time.Nanosecond
}
