package authserver

import (
	"context"
	"log/slog"
	"net/http"
)

// Event is something that happened. It never holds a token, code, secret or password.
type Event struct {
	// Kind is one of: token.issued, refresh.rotated, refresh.reissued, refresh.replayed, refresh.reuse, refresh.forged,
	// refresh.healed, refresh.capped, client.failed, client.mismatch, code.forged, code.replayed, store.rollback,
	// grant.revoked, login.succeeded, login.failed, login.throttled, logout, cleanup.
	Kind       string
	ClientID   string
	Subject    string
	GrantID    string
	GrantType  string
	Reason     string
	Generation uint32 // presented by the client
	Current    uint32 // in the store
	Count      int    // of revoked or deleted rows, or of replays of the generation
	RemoteAddr string
}

// LogValue returns the fields that are set.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", e.Kind)}
	for _, f := range []struct{ name, value string }{
		{"client_id", e.ClientID}, {"sub", e.Subject}, {"grant", e.GrantID}, {"grant_type", e.GrantType},
		{"reason", e.Reason}, {"remote", e.RemoteAddr},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.name, f.value))
		}
	}
	if e.Generation != e.Current {
		attrs = append(attrs, slog.Uint64("presented", uint64(e.Generation)), slog.Uint64("current", uint64(e.Current)))
	}
	if e.Count != 0 {
		attrs = append(attrs, slog.Int("count", e.Count))
	}
	return slog.GroupValue(attrs...)
}

// suspicious events are logged at level Warn.
var suspicious = map[string]bool{
	"refresh.reuse": true, "refresh.forged": true, "code.forged": true, "client.mismatch": true, "code.replayed": true,
	"store.rollback": true, "login.throttled": true, "refresh.healed": true, "refresh.capped": true,
}

type remoteAddrKey struct{}

// withRemoteAddr returns the request's context with its RemoteAddr, for events.
func withRemoteAddr(r *http.Request) context.Context {
	return context.WithValue(r.Context(), remoteAddrKey{}, r.RemoteAddr)
}

// event reports e to the log and to Config.OnEvent.
func (s *Server) event(ctx context.Context, e Event) {
	if e.RemoteAddr == "" {
		e.RemoteAddr, _ = ctx.Value(remoteAddrKey{}).(string)
	}
	level := slog.LevelInfo
	if suspicious[e.Kind] {
		level = slog.LevelWarn
	}
	if s.log.Enabled(ctx, level) {
		s.log.LogAttrs(ctx, level, e.Kind, slog.Any("event", e))
	}
	if s.cfg.OnEvent != nil {
		s.cfg.OnEvent(ctx, e)
	}
}
