package middleware

import (
	"context"
	"log/slog"

	"github.com/bearergate/bearergate/internal/weburl"
)

// An Event is one outcome, told to [Config.OnEvent] for metrics and audit.
type Event struct {
	// Reason is the stable word for the outcome, see [Reason]; there are few of them, so it may label a metric.
	Reason string

	// Err is the refusal; nil when the token was accepted.
	Err error

	// Issuer is the configured issuer that the token names, verified or not; empty when it names none of them. There
	// are no more values than the configuration has.
	Issuer string

	// Token is the token; nil unless its signature was verified. It may have been rejected all the same.
	Token *Token
}

// clip bounds what a log line repeats of a token.
func clip(s string) string { return weburl.Clip(s, maxRepeated) }

// report tells the outcome to OnEvent and to the log. accepted is nil unless the signature was verified.
func (v *Validator) report(ctx context.Context, accepted *verified, err error) {
	if err == nil && v.cfg.OnEvent == nil {
		return
	}
	e := Event{Reason: Reason(err), Err: err}
	r := refusalOf(err)
	var c *candidate
	if r != nil {
		c = r.candidate
	}
	switch {
	case accepted != nil:
		e.Token, e.Issuer = &accepted.token, accepted.issuer.Name
	case c != nil && c.issuer != nil:
		e.Issuer = c.issuer.Name
	}
	if v.cfg.OnEvent != nil {
		v.cfg.OnEvent(ctx, e)
	}
	if err == nil {
		return
	}
	level := slog.LevelDebug
	if r != nil && r.verdict.suspicious {
		level = slog.LevelWarn
	}
	if !v.cfg.Logger.Enabled(ctx, level) {
		return
	}
	text := "access token rejected"
	if r != nil && r.verdict == verdictNoToken {
		text = "no access token"
	}
	attrs := []slog.Attr{slog.String("reason", e.Reason), slog.String("error", err.Error())}
	if e.Token != nil {
		attrs = append(attrs, slog.Any("token", e.Token))
	} else if c != nil && (c.Header.Algorithm != "" || c.Header.KeyID != "" || c.claims.iss != "") {
		attrs = append(attrs, slog.Group("unverified",
			slog.String("alg", clip(c.Header.Algorithm)), slog.String("kid", clip(c.Header.KeyID)),
			slog.String("iss", clip(c.claims.iss)), slog.String("sub", clip(c.claims.sub))))
	}
	v.cfg.Logger.LogAttrs(ctx, level, text, attrs...)
}
