package revocation

import "log/slog"

// The kinds of an [Event]. Each is reported when it becomes true, not while it stays true.
const (
	Fresh    = "fresh"    // the list is complete and up to date, for the first time or again
	Failing  = "failing"  // a poll failed and the one before it did not; polling goes on
	Stale    = "stale"    // there was no complete answer for MaxAge
	Overflow = "overflow" // there are more entries than MaxEntries: the list is incomplete, which counts as stale
)

// Event is a change in the state of a [List]. It contains no secret.
type Event struct {
	Kind    string
	Issuer  string
	Entries int   // the number of entries kept
	Err     error // why the last poll failed; nil with Fresh
}

// eventKind returns the kind that is true now. It is empty while the first read may still be in time.
func (l *List) eventKind() string {
	switch at := l.asOf.Load(); {
	case l.overflowed:
		return Overflow
	case at == incomplete && l.clock()-l.runSince > l.cfg.MaxAge, at != incomplete && l.stale():
		return Stale
	case l.failures > 0:
		return Failing
	case at != incomplete:
		return Fresh
	}
	return ""
}

// notify reports the state to the logger and the hook if it has changed. Only the goroutine in Run calls it.
func (l *List) notify() {
	kind := l.eventKind()
	if kind == l.lastKind || kind == "" {
		return
	}
	l.lastKind = kind
	e := Event{Kind: kind, Issuer: l.cfg.Issuer, Entries: l.entries.len(), Err: l.lastErr}
	log := l.cfg.Logger.With(slog.String("issuer", e.Issuer), slog.Int("entries", e.Entries))
	whenStale := slog.String("when_stale", string(l.cfg.WhenStale))
	switch kind {
	case Fresh:
		log.Info("revocation: the list is up to date")
	case Failing:
		log.Warn("revocation: reading the list failed; polling goes on", slog.Any("error", e.Err))
	case Stale:
		log.Error("revocation: the list is stale", whenStale, slog.Any("error", e.Err))
	case Overflow:
		log.Error("revocation: the list has more entries than MaxEntries", whenStale,
			slog.Int("max_entries", l.cfg.MaxEntries))
	}
	l.cfg.OnEvent(e)
}
