package middleware

import (
	"context"
	"errors"
	"log/slog"
)

// report tells the outcome to OnEvent and to the log. What is hearsay is logged as unverified.
func (v *Validator) report(ctx context.Context, c *dossier, tok *Token, err error) {
	if err == nil && c.skipped == nil && v.cfg.OnEvent == nil {
		return
	}
	e := Event{Reason: Reason(err), Err: err, Token: tok}
	if c.skipped != nil && err == nil {
		e.Reason, e.Err = ReasonCheckSkipped, c.skipped
	}
	if c.issuer != nil {
		e.Issuer = c.issuer.Name
	} else if tok != nil {
		e.Issuer = tok.issuer
	}
	if v.cfg.OnEvent != nil {
		v.cfg.OnEvent(ctx, e)
	}
	if e.Err == nil {
		return
	}
	level := slog.LevelDebug
	if r := refusalOf(err); r != nil && r.verdict.suspicious || c.skipped != nil && err == nil {
		level = slog.LevelWarn
	}
	if !v.cfg.Logger.Enabled(ctx, level) {
		return
	}
	text := "access token refused"
	switch {
	case err == nil:
		text = "access token accepted without Check"
	case errors.Is(err, errNoToken):
		text = "no access token"
	}
	attrs := []slog.Attr{slog.String("reason", e.Reason), slog.String("error", e.Err.Error())}
	if tok != nil {
		attrs = append(attrs, slog.Any("token", tok))
	} else if c.header.alg != "" || c.header.kid != "" || c.claims.iss != "" {
		attrs = append(attrs, slog.Group("unverified",
			slog.String("alg", truncate(c.header.alg)), slog.String("kid", truncate(c.header.kid)),
			slog.String("iss", truncate(c.claims.iss)), slog.String("sub", truncate(c.claims.sub))))
	}
	v.cfg.Logger.LogAttrs(ctx, level, text, attrs...)
}
