package revocation

import (
	"log/slog"
)

// The kinds of events: each is told when it becomes true, not while it stays true.
const (
	Fresh    = "fresh"    // the list is complete and up to date, for the first time or again
	Failing  = "failing"  // a poll failed, the first after one that did not; it is tried again
	Stale    = "stale"    // there was no complete answer for MaxAge
	Overflow = "overflow" // there are more entries than MaxEntries, so that the list is incomplete: as stale
)

// An Event is a change in the state of a [List]. There is nothing secret in it.
type Event struct {
	Kind    string
	Issuer  string
	Entries int   // how many are kept
	Err     error // why the last poll failed; nil with Fresh
}

// state says which kind is true now; empty while the list was not read and that is no reason for concern yet.
func (l *List) state() string {
	switch at := l.asOf.Load(); {
	case l.over:
		return Overflow
	case at == never && l.clock()-l.began > l.cfg.MaxAge, at != never && l.stale():
		return Stale
	case l.failures > 0:
		return Failing
	case at != never:
		return Fresh
	}
	return ""
}

// tell tells the logger and the hook what has changed. Only the goroutine in Run calls it.
func (l *List) tell() {
	kind := l.state()
	if kind == l.told || kind == "" {
		return
	}
	l.told = kind
	e := Event{Kind: kind, Issuer: l.cfg.Issuer, Entries: int(l.table.size.Load()), Err: l.lastErr}
	log := l.cfg.Logger.With(slog.String("issuer", e.Issuer), slog.Int("entries", e.Entries))
	switch kind {
	case Fresh:
		log.Info("revocation: the list of revoked sessions is up to date")
	case Failing:
		log.Warn("revocation: reading the revoked sessions failed; it is tried again", slog.Any("error", e.Err))
	case Stale:
		log.Error("revocation: the list of revoked sessions is stale", slog.String("then", string(l.cfg.WhenStale)), slog.Any("error", e.Err))
	case Overflow:
		log.Error("revocation: there are more revoked sessions than MaxEntries", slog.String("then", string(l.cfg.WhenStale)),
			slog.Int("max_entries", l.cfg.MaxEntries))
	}
	l.cfg.OnEvent(e)
}
