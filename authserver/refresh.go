package authserver

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// refreshState says how a presented refresh token stands to its row.
type refreshState int

const (
	refreshCurrent    refreshState = iota // the newest there is
	refreshInGrace                        // superseded a moment ago
	refreshSpent                          // superseded longer ago: the client or a thief has a copy
	refreshFuture                         // ahead of the store: the store has lost commits
	refreshOver                           // the grant has expired or is revoked
	refreshAttempts   = 8                 // a conflict means that another request has got on, so this is plenty
	nearExpiryPercent = 70
)

// classify says what a token of generation gen is, now.
func (g *Grant) classify(gen uint32, now time.Time, grace time.Duration) refreshState {
	switch {
	case !g.Active(now) || !g.Refresh || g.Generation == 0:
		return refreshOver
	case gen == g.Generation:
		return refreshCurrent
	case gen > g.Generation:
		return refreshFuture
	}
	if g.withinGrace(gen, now, grace) {
		return refreshInGrace
	}
	return refreshSpent
}

// withinGrace tells whether generation gen was superseded so short a time ago that its tokens still count.
func (g *Grant) withinGrace(gen uint32, now time.Time, grace time.Duration) bool {
	at, known := g.supersededAt(gen)
	return known && gen > 0 && grace > 0 && !now.After(at.Add(grace))
}

// exchangeRefreshToken is the refresh token grant (RFC 6749 section 6).
func (s *Server) exchangeRefreshToken(ctx context.Context, c *Client, p params) (*Tokens, *oauthError) {
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
	switch r.state(r.at) { // no use in signing anything
	case refreshSpent:
		return nil, r.reuse(ctx)
	case refreshInGrace:
		if r.replayLimitReached() {
			return nil, r.tooMany(ctx)
		}
	}
	user, refusal := s.activeUser(ctx, r.grant.Subject)
	if refusal != nil {
		return nil, refusal
	}
	r.issue = &issue{grantType: grantTypeRefresh, client: c, user: user, grant: &r.grant,
		subject: r.grant.Subject, scopes: scopes, resources: resources, generation: r.next()}
	t, until, refusal := s.sign(ctx, r.issue)
	if refusal != nil {
		return nil, refusal
	}
	r.tokens = t
	token, refusal := r.rotate(ctx, until)
	if refusal != nil {
		return nil, refusal
	}
	r.tokens.RefreshToken = token
	return r.tokens, nil
}

// newRefresh checks that the token is genuine, the client's own, and of a grant that is alive.
func (s *Server) newRefresh(ctx context.Context, c *Client, token string) (*refresh, *oauthError) {
	if token == "" {
		return nil, invalidRequest("refresh_token is missing")
	}
	o, g, refusal := s.loadPresented(ctx, refreshToken, token)
	if refusal != nil {
		return nil, refusal
	}
	if g.ClientID != c.ID {
		s.event(ctx, Event{Kind: "client.mismatch", ClientID: c.ID, GrantID: g.ID, GrantType: grantTypeRefresh})
		return nil, invalidGrant("the refresh token is not valid")
	}
	if !c.offline() {
		return nil, invalidGrant("the client may not have refresh tokens any more")
	}
	r := &refresh{Server: s, policy: s.cfg.policyFor(c), token: token, gen: o.gen, at: s.now(), grant: g}
	if r.state(r.at) == refreshOver {
		return nil, invalidGrant("the refresh token has expired or was revoked")
	}
	return r, nil
}

// refresh is one presented refresh token on its way through the state machine.
type refresh struct {
	*Server
	policy policy
	token  string
	gen    uint32
	at     time.Time // when it came
	grant  Grant     // as last read

	issue  *issue // what tokens was signed from
	tokens *Tokens
}

func (r *refresh) state(now time.Time) refreshState {
	return r.grant.classify(r.gen, now, r.policy.grace)
}

// next is the generation that the answer will have, if nobody gets in between.
func (r *refresh) next() uint32 {
	switch class := r.state(r.at); {
	case class == refreshCurrent && r.due(r.at), class == refreshFuture && r.gen != math.MaxUint32:
		return r.gen + 1
	case class == refreshCurrent:
		return r.gen
	default:
		return r.grant.Generation
	}
}

// resign signs again if someone did get in between: an access token of a generation that is over would not live long.
func (r *refresh) resign(ctx context.Context, gen uint32, until *time.Time) (refusal *oauthError) {
	if !r.cfg.RevokePreviousAccessToken || r.issue == nil || r.issue.generation == gen {
		return nil
	}
	r.issue.generation = gen
	r.tokens, *until, refusal = r.sign(ctx, r.issue)
	return refusal
}

// replayLimitReached reports whether the present generation has been handed out again as often as it may.
func (r *refresh) replayLimitReached() bool {
	return r.cfg.MaxReplays > 0 && r.grant.Replays >= r.cfg.MaxReplays
}

func (r *refresh) tooMany(ctx context.Context) *oauthError {
	r.report(ctx, "refresh.capped")
	return invalidGrant("the refresh token was replaced, and its successor handed out often enough")
}

// rotate takes the one atomic step and returns the refresh token to answer with. The loser of a race reads the row again, and
// then usually finds itself in the grace.
func (r *refresh) rotate(ctx context.Context, until time.Time) (string, *oauthError) {
	for range refreshAttempts {
		now := r.now()
		step := Step{ID: r.grant.ID, From: r.grant.Generation, To: r.grant.Generation, Now: now}
		kind := ""
		switch r.state(now) {
		case refreshCurrent:
			step.IdleExpiresAt = earlier(now.Add(r.policy.idle), r.grant.ExpiresAt)
			kind = "refresh.reissued"
			if r.due(now) {
				kind = "refresh.rotated"
				step.To++
			}
		case refreshInGrace:
			if r.replayLimitReached() {
				return "", r.tooMany(ctx)
			}
			step.Replay = true
			kind = "refresh.replayed"
		case refreshFuture:
			r.report(ctx, "store.rollback")
			if ahead := r.gen - r.grant.Generation; int64(ahead) > int64(r.cfg.MaxRollback) || r.gen == math.MaxUint32 {
				return "", invalidGrant("the refresh token is not valid")
			}
			step.IdleExpiresAt = earlier(now.Add(r.policy.idle), r.grant.ExpiresAt)
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
		if refusal := r.resign(ctx, step.To, &until); refusal != nil {
			return "", refusal
		}
		step.AccessExpiresAt = until.Add(clockSkew)
		err := r.cfg.Store.Advance(ctx, step)
		if err == nil {
			if step.Replay {
				r.grant.Replays++
			}
			r.report(ctx, kind)
			return answer, nil
		}
		if errors.Is(err, ErrConflict) {
			r.grant, err = r.reload(ctx, r.grant.ID)
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
	switch r.policy.rotation {
	case RotateNever:
		return false
	case RotateNearExpiry:
		begin := r.grant.CreatedAt
		if h := r.grant.History; len(h) > 0 {
			begin = h[len(h)-1]
		}
		return now.Sub(begin) >= r.policy.idle/100*nearExpiryPercent
	default:
		return true
	}
}

// answer is the refresh token of generation gen; the presented one as it came if that is what it is.
func (r *refresh) answer(gen uint32) (string, *oauthError) {
	if gen == r.gen {
		return r.token, nil
	}
	return r.mintRefreshToken(&r.grant, gen)
}

// reuse ends the grant: a token that was superseded longer ago than the grace has come, so there are two holders.
func (r *refresh) reuse(ctx context.Context) *oauthError {
	n, err := r.revokeInStore(context.WithoutCancel(ctx), Selector{ID: r.grant.ID}, "reuse") // hanging up saves nobody
	if err != nil {
		return unavailable(err)
	}
	r.event(ctx, Event{Kind: "refresh.reuse", ClientID: r.grant.ClientID, Subject: r.grant.Subject, GrantID: r.grant.ID,
		Generation: r.gen, Current: r.grant.Generation, Count: n})
	return invalidGrant("the refresh token was used before; sign in again")
}

func (r *refresh) report(ctx context.Context, kind string) {
	r.event(ctx, Event{Kind: kind, GrantType: grantTypeRefresh, ClientID: r.grant.ClientID, Subject: r.grant.Subject,
		GrantID: r.grant.ID, Generation: r.gen, Current: r.grant.Generation, Count: r.grant.Replays})
}

// Grants lists a user's or client's grants that have refresh tokens and are alive, newest first.
func (s *Server) Grants(ctx context.Context, sel Selector) ([]Grant, error) {
	all, err := s.cfg.Store.Grants(ctx, sel, s.now(), 0)
	return slices.DeleteFunc(all, func(g Grant) bool { return !g.Refresh || g.Generation == 0 }), err
}
