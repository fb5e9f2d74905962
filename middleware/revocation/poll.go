package revocation

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// maxPages bounds one poll. The next poll continues where this one ended.
const maxPages = 1000

var (
	errRunning  = errors.New("revocation: Run is already running")
	errOverflow = errors.New("revocation: more entries than MaxEntries")
)

// Run polls the server until ctx is done, the first time at once, and returns ctx's error. It makes one request at a
// time in the caller's goroutine and leaves nothing running. While nobody runs a List it becomes stale. A second Run
// at the same time fails.
//
// After a failure the next poll comes after Interval. The pause doubles with each further failure, up to the larger
// of Interval and MaxAge/4; up to half of it is random. The server can ask for a longer pause by Retry-After, up to
// MaxAge/2.
//
// A list that has overflowed is read again from the start, about once in MaxAge, and only after some of its entries
// have expired.
func (l *List) Run(ctx context.Context) error {
	if !l.running.CompareAndSwap(false, true) {
		return errRunning
	}
	defer l.running.Store(false)
	defer l.client.close()
	l.runSince = l.clock()
	for {
		start := l.clock()
		err := l.poll(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.recordPoll(err)
		l.notify()
		if err := l.wait(ctx, l.delay(err, l.clock()-start)); err != nil {
			return err
		}
	}
}

// poll reads what is new: all pages from the cursor on.
func (l *List) poll(ctx context.Context) error {
	now := l.cfg.Now().Unix()
	if now < l.lastSweep {
		// The clock was ahead, and entries were removed too early. The server still has them.
		l.cursor, l.removedEarly = "", true
	}
	l.lastSweep = now
	l.entries.removeExpired(now)
	if l.overflowed && l.entries.len() >= l.cfg.MaxEntries {
		return errOverflow // it can't fit yet
	}
	restarted := false
	for range maxPages {
		asked := l.clock()
		p, err := l.client.get(ctx, l.cursor)
		var status *statusError
		switch {
		case errors.As(err, &status) && status.code == http.StatusBadRequest && l.cursor != "" && !restarted:
			l.cursor, restarted = "", true
			continue
		case err != nil:
			return err
		case p.more && p.cursor == l.cursor:
			return errors.New("the answer has more set and repeats the cursor")
		}
		if err := l.applyPage(p, now, asked); err != nil || !p.more {
			return err
		}
	}
	return nil
}

// applyPage adds the entries of a page that was asked for at the time asked. With the last page the list is up to date.
func (l *List) applyPage(p page, now int64, asked time.Duration) error {
	if !l.entries.add(p.revoked, now, l.cfg.MaxEntries) {
		l.overflowed, l.cursor = true, ""
		l.asOf.Store(incomplete)
		if l.cfg.WhenStale == Accept {
			l.markReady() // it is as complete as it can be
		}
		return errOverflow
	}
	l.cursor = p.cursor
	if !p.more {
		l.overflowed, l.removedEarly = false, false
		l.asOf.Store(int64(asked))
		l.markReady()
	}
	return nil
}

func (l *List) markReady() {
	select {
	case <-l.ready:
	default:
		close(l.ready)
	}
}

// recordPoll records the result of a poll for Status and Ready.
func (l *List) recordPoll(err error) {
	if err != nil && l.removedEarly {
		l.asOf.Store(incomplete)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastErr, l.overflow = err, l.overflowed
	if err == nil {
		l.failures = 0
	} else {
		l.failures++
	}
}

// delay returns the time until the next poll, after one that took the time took and ended with err.
func (l *List) delay(err error, took time.Duration) time.Duration {
	random := rand.Float64() //nolint:gosec // jitter: nobody gains by guessing it
	// jitter returns a random duration from least*d up to d.
	jitter := func(d time.Duration, least float64) time.Duration {
		return time.Duration(float64(d) * (least + (1-least)*random))
	}
	switch {
	case err == nil:
		return max(jitter(l.cfg.Interval, 0.8)-took, l.cfg.Interval/10)
	case errors.Is(err, errOverflow):
		return max(l.cfg.Interval, jitter(l.cfg.MaxAge, 0.5))
	}
	longest := max(l.cfg.Interval, l.cfg.MaxAge/4)
	backoff := longest
	if n := min(l.failures-1, 62); l.cfg.Interval < longest>>n {
		backoff = l.cfg.Interval << n
	}
	limit := max(longest, l.cfg.MaxAge/2)
	var requested time.Duration
	var status *statusError
	if errors.As(err, &status) {
		requested = min(status.retryAfter, limit) // first: a date may be as far away as a Duration can express
	}
	return max(jitter(backoff, 0.5), min(requested+jitter(requested, 0)/10, limit))
}

// wait waits for d, and notifies when the list becomes stale meanwhile.
func (l *List) wait(ctx context.Context, d time.Duration) error {
	next := time.NewTimer(d)
	defer next.Stop()
	stale := time.NewTimer(l.timeUntilStale())
	defer stale.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
			return nil
		case <-stale.C:
			l.notify()
		}
	}
}

// timeUntilStale returns the time until eventKind is Stale. The nanosecond is there because the comparison is strict.
func (l *List) timeUntilStale() time.Duration {
	at := time.Duration(l.asOf.Load())
	if at == incomplete {
		at = l.runSince
	}
	return max(at+l.cfg.MaxAge-l.clock(), 0) + time.Nanosecond
}
