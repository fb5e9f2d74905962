package authserver

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// refreshClass says how a presented refresh token stands to its row.
type refreshClass int

const (
	refreshCurrent    refreshClass = iota // the newest there is
	refreshInGrace                        // superseded a moment ago
	refreshSpent                          // superseded longer ago: the client or a thief has a copy
	refreshFuture                         // ahead of the store: the store has lost commits
	refreshOver                           // the family has expired or is revoked
	refreshAttempts   = 8                 // a conflict means that another request has got on, so this is plenty
	nearExpiryPercent = 70
)

// classify says what a token of generation gen is, now.
func (g *Grant) classify(gen uint32, now time.Time, grace time.Duration) refreshClass {
	switch {
	case !g.Active(now) || !g.Refresh || g.Generation == 0:
		return refreshOver
	case gen == g.Generation:
		return refreshCurrent
	case gen > g.Generation:
		return refreshFuture
	}
	if at, known := g.supersededAt(gen); known && gen > 0 && grace > 0 && !now.After(at.Add(grace)) {
		return refreshInGrace
	}
	return refreshSpent
}

// grantRefresh is the refresh token grant (RFC 6749 section 6).
func (s *Server) grantRefresh(ctx context.Context, c *Client, p *params) (*Tokens, *oauthError) {
	r, refusal := s.newRefresh(ctx, c, p.get("refresh_token"))
	if refusal != nil {
		return nil, refusal
	}
	scopes, refusal := requestedScopes(c, r.grant.Scopes, p)
	if refusal != nil {
		return nil, refusal
	}
	resources, refusal := s.requestedResources(&r.grant, scopes, p)
	if refusal != nil {
		return nil, refusal
	}
	if class := r.class(); class == refreshSpent { // no use in signing anything
		return nil, r.reuse(ctx)
	}
	user, refusal := s.activeUser(ctx, r.grant.Subject)
	if refusal != nil {
		return nil, refusal
	}
	t, until, refusal := s.sign(ctx, &issue{grantType: grantRefresh, client: c, user: user, grant: &r.grant,
		subject: r.grant.Subject, scopes: scopes, resources: resources})
	if refusal != nil {
		return nil, refusal
	}
	if t.RefreshToken, refusal = r.settle(ctx, until); refusal != nil {
		return nil, refusal
	}
	return t, nil
}

// newRefresh checks that the token is genuine, the client's own, and of a family that is alive.
func (s *Server) newRefresh(ctx context.Context, c *Client, token string) (*refresh, *oauthError) {
	if token == "" {
		return nil, invalidRequest("refresh_token is missing")
	}
	o, g, refusal := s.presented(ctx, refreshToken, token)
	if refusal != nil {
		return nil, refusal
	}
	if g.ClientID != c.ID {
		s.event(ctx, Event{Kind: "client.mismatch", ClientID: c.ID, GrantID: g.ID, GrantType: grantRefresh})
		return nil, invalidGrant("the refresh token is not valid")
	}
	if !c.offline() {
		return nil, invalidGrant("the client may not have refresh tokens any more")
	}
	r := &refresh{Server: s, terms: s.cfg.terms(c), token: token, gen: o.gen, grant: g}
	if class := r.class(); class == refreshOver {
		return nil, invalidGrant("the refresh token has expired or was revoked")
	}
	return r, nil
}

// refresh is one presented refresh token on its way through the state machine.
type refresh struct {
	*Server
	terms terms
	token string
	gen   uint32
	grant Grant // as last read
}

func (r *refresh) class() refreshClass { return r.grant.classify(r.gen, r.now(), r.terms.grace) }

// settle takes the one atomic step and returns the refresh token to answer with. The loser of a race reads the row again, and
// then usually finds itself in the grace.
func (r *refresh) settle(ctx context.Context, until time.Time) (string, *oauthError) {
	for range refreshAttempts {
		now := r.now()
		step := Step{ID: r.grant.ID, From: r.grant.Generation, To: r.grant.Generation, Now: now, AccessExpiresAt: until}
		kind := ""
		switch r.class() {
		case refreshCurrent:
			step.IdleExpiresAt = earlier(now.Add(r.terms.idle), r.grant.ExpiresAt)
			kind = "refresh.reissued"
			if r.due(now) {
				kind = "refresh.rotated"
				step.To++
			}
		case refreshInGrace:
			step.Replay = true
			kind = "refresh.replayed"
		case refreshFuture:
			r.report(ctx, "store.rollback")
			if ahead := r.gen - r.grant.Generation; int64(ahead) > int64(r.cfg.MaxRollback) || r.gen == math.MaxUint32 {
				return "", invalidGrant("the refresh token is not valid")
			}
			step.IdleExpiresAt = earlier(now.Add(r.terms.idle), r.grant.ExpiresAt)
			kind = "refresh.healed"
			step.To = r.gen + 1
		case refreshSpent:
			return "", r.reuse(ctx)
		default:
			return "", invalidGrant("the refresh token has expired or was revoked")
		}
		answer, refusal := r.answer(step.To)
		if refusal != nil {
			return "", refusal
		}
		err := r.cfg.Store.Advance(ctx, step)
		if err == nil {
			if step.Replay {
				r.grant.Replays++
			}
			r.report(ctx, kind)
			return answer, nil
		}
		if errors.Is(err, ErrConflict) {
			r.grant, err = r.cfg.Store.Grant(ctx, r.grant.ID)
		}
		if errors.Is(err, ErrNotFound) {
			return "", invalidGrant("the refresh token is not valid")
		}
		if err != nil { // whether the step was taken is unknown: the same request again finds out
			return "", unavailable(err)
		}
	}
	return "", unavailable(errors.New("authserver: too many conflicts on one grant"))
}

// due tells whether a current token is to be replaced.
func (r *refresh) due(now time.Time) bool {
	if r.grant.Generation == math.MaxUint32 {
		return false
	}
	switch r.terms.rotation {
	case RotateNever:
		return false
	case RotateNearExpiry:
		begin := r.grant.CreatedAt
		if h := r.grant.History; len(h) > 0 {
			begin = h[len(h)-1]
		}
		return now.Sub(begin) >= r.terms.idle/100*nearExpiryPercent
	default:
		return true
	}
}

// answer is the refresh token of generation gen; the presented one as it came if that is what it is.
func (r *refresh) answer(gen uint32) (string, *oauthError) {
	if gen == r.gen {
		return r.token, nil
	}
	return r.mintRefresh(&r.grant, gen)
}

// reuse ends the family: a token that was superseded longer ago than the grace has come, so there are two holders.
func (r *refresh) reuse(ctx context.Context) *oauthError {
	n, err := r.cfg.Store.Revoke(ctx, Selector{ID: r.grant.ID}, "reuse", r.now())
	if err != nil {
		return unavailable(err)
	}
	r.event(ctx, Event{Kind: "refresh.reuse", ClientID: r.grant.ClientID, Subject: r.grant.Subject, GrantID: r.grant.ID,
		Generation: r.gen, Current: r.grant.Generation, Count: n})
	return invalidGrant("the refresh token was used before; sign in again")
}

func (r *refresh) report(ctx context.Context, kind string) {
	r.event(ctx, Event{Kind: kind, GrantType: grantRefresh, ClientID: r.grant.ClientID, Subject: r.grant.Subject,
		GrantID: r.grant.ID, Generation: r.gen, Current: r.grant.Generation, Count: r.grant.Replays})
}

// Sessions lists a user's or client's grants that have refresh tokens and are alive, newest first.
func (s *Server) Sessions(ctx context.Context, sel Selector) ([]Grant, error) {
	all, err := s.cfg.Store.Grants(ctx, sel, s.now(), 0)
	return slices.DeleteFunc(all, func(g Grant) bool { return !g.Refresh || g.Generation == 0 }), err
}
