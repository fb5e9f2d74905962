package authserver

import (
	"context"
	"errors"
	"math"
	"time"
)

const (
	refreshAttempts   = 8  // a conflict means that another request has made progress, so this is plenty
	nearExpiryPercent = 70 // of the idle lifetime, see RotateNearExpiry
)

// exchangeRefreshToken is the refresh token grant (RFC 6749, Section 6). Everything that can fail comes before rotate,
// the one step that writes: a failed request leaves the refresh token as it was.
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
	switch r.state(r.at) { // these need no signature
	case tokenReused:
		return nil, r.revokeReused(ctx)
	case tokenWithinGrace:
		if r.replayLimitReached() {
			return nil, r.refuseReplay(ctx)
		}
	}
	user, refusal := s.activeUser(ctx, r.grant.Subject)
	if refusal != nil {
		return nil, refusal
	}
	r.issue = &issue{grantType: grantTypeRefresh, client: c, user: user, grant: &r.grant,
		subject: r.grant.Subject, scopes: scopes, resources: resources, generation: r.nextGeneration()}
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

// newRefresh checks that the token is genuine, belongs to the client, and that its grant is active.
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
	if r.state(r.at) == tokenInactive {
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
	at     time.Time // when the request came
	grant  Grant     // as last read

	issue  *issue // what tokens was signed from
	tokens *Tokens
}

func (r *refresh) state(now time.Time) tokenState {
	return r.grant.tokenState(r.gen, now, r.policy.grace)
}

// nextGeneration returns the generation that the answer will have unless another request comes first.
func (r *refresh) nextGeneration() uint32 {
	switch state := r.state(r.at); {
	case state == tokenCurrent && r.rotationDue(r.at), state == tokenAhead && r.gen != math.MaxUint32:
		return r.gen + 1
	case state == tokenCurrent:
		return r.gen
	default:
		return r.grant.Generation
	}
}

// rotate takes the one atomic step and returns the refresh token of the answer. The loser of a race reads the row
// again, and is then usually within the grace.
func (r *refresh) rotate(ctx context.Context, until time.Time) (string, *oauthError) {
	for range refreshAttempts {
		now := r.now()
		step := Step{ID: r.grant.ID, From: r.grant.Generation, To: r.grant.Generation, Now: now}
		kind := ""
		switch r.state(now) {
		case tokenCurrent:
			step.IdleExpiresAt = earlier(now.Add(r.policy.idle), r.grant.ExpiresAt)
			kind = "refresh.reissued"
			if r.rotationDue(now) {
				kind = "refresh.rotated"
				step.To++
			}
		case tokenWithinGrace:
			if r.replayLimitReached() {
				return "", r.refuseReplay(ctx)
			}
			step.Replay = true
			kind = "refresh.replayed"
		case tokenAhead:
			r.report(ctx, "store.rollback")
			if ahead := r.gen - r.grant.Generation; int64(ahead) > int64(r.cfg.MaxRollback) || r.gen == math.MaxUint32 {
				return "", invalidGrant("the refresh token is not valid")
			}
			step.IdleExpiresAt = earlier(now.Add(r.policy.idle), r.grant.ExpiresAt)
			kind = "refresh.healed"
			step.To = r.gen + 1
		case tokenReused:
			return "", r.revokeReused(ctx)
		default:
			return "", invalidGrant("the refresh token has expired or was revoked")
		}
		answer, refusal := r.tokenOf(step.To)
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

// rotationDue reports whether a current token is to be replaced.
func (r *refresh) rotationDue(now time.Time) bool {
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

// tokenOf returns the refresh token of generation gen. If that is the presented one, it is returned as it came.
func (r *refresh) tokenOf(gen uint32) (string, *oauthError) {
	if gen == r.gen {
		return r.token, nil
	}
	return r.mintRefreshToken(&r.grant, gen)
}

// resign signs again if another request came first: with RevokePreviousAccessToken an access token of a superseded
// generation would soon be rejected.
func (r *refresh) resign(ctx context.Context, gen uint32, until *time.Time) (refusal *oauthError) {
	if !r.cfg.RevokePreviousAccessToken || r.issue == nil || r.issue.generation == gen {
		return nil
	}
	r.issue.generation = gen
	r.tokens, *until, refusal = r.sign(ctx, r.issue)
	return refusal
}

// replayLimitReached reports whether the current generation has been handed out again as often as MaxReplays allows.
func (r *refresh) replayLimitReached() bool {
	return r.cfg.MaxReplays > 0 && r.grant.Replays >= r.cfg.MaxReplays
}

func (r *refresh) refuseReplay(ctx context.Context) *oauthError {
	r.report(ctx, "refresh.capped")
	return invalidGrant("the refresh token was replaced, and its successor handed out often enough")
}

// revokeReused revokes the grant: a token was used after it had been superseded for longer than the grace, so two
// parties hold it. A disconnect must not cancel that.
func (r *refresh) revokeReused(ctx context.Context) *oauthError {
	n, err := r.revokeInStore(context.WithoutCancel(ctx), Selector{ID: r.grant.ID}, "reuse")
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
