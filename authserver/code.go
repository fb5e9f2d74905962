package authserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
)

// newCode writes the grant whose generation 0 is the code.
func (s *Server) newCode(r *http.Request, a *authorization, l *Login) (string, *oauthError) {
	now := s.now()
	g := s.newGrant(a.client, l, a.scopes, a.resources, now)
	g.RedirectURI, g.Challenge, g.Nonce = a.sentURI, a.challenge, a.nonce
	g.IdleExpiresAt = now.Add(s.cfg.CodeLifetime)
	if err := g.storable(); err != nil {
		return "", serverError("sign-in failed", err)
	}
	code, err := s.ring.mint(codeToken, &g, 0)
	if err != nil {
		return "", serverError("no code could be made", err)
	}
	if err := s.cfg.Store.Create(r.Context(), g); err != nil {
		return "", unavailable(err)
	}
	return code, nil
}

// exchangeCode exchanges an authorization code (RFC 6749, Section 4.1.3). The code is generation 0 of its grant, and
// using it is the same step as rotating a refresh token.
func (s *Server) exchangeCode(ctx context.Context, c *Client, p params) (*Tokens, *oauthError) {
	g, refusal := s.checkCode(ctx, c, p)
	if refusal != nil {
		return nil, refusal
	}
	now := s.now()
	if g.Generation > 0 {
		return nil, s.revokeReplayedCode(ctx, g)
	}
	if !g.Active(now) {
		return nil, invalidGrant("the code is not valid")
	}
	scopes := intersect(g.Scopes, c.Scopes)
	resources, refusal := s.requestedResources(g, scopes, p)
	if refusal != nil {
		return nil, refusal
	}
	user, refusal := s.activeUser(ctx, g.Subject)
	if refusal != nil {
		return nil, refusal
	}
	t, until, refusal := s.sign(ctx, &issue{grantType: grantTypeCode, client: c, user: user, grant: g, subject: g.Subject,
		scopes: scopes, resources: resources, nonce: g.Nonce, generation: 1})
	if refusal != nil {
		return nil, refusal
	}
	step := Step{ID: g.ID, From: 0, To: 1, Now: now, AccessExpiresAt: until.Add(clockSkew), IdleExpiresAt: until}
	if g.Refresh = g.Refresh && c.offline(); g.Refresh {
		step.IdleExpiresAt = earlier(now.Add(s.cfg.policyFor(c).idle), g.ExpiresAt)
		if t.RefreshToken, refusal = s.mintRefreshToken(g, 1); refusal != nil {
			return nil, refusal
		}
	}
	switch err := s.cfg.Store.Advance(ctx, step); {
	case errors.Is(err, ErrConflict): // another request was faster: the code is used twice, or it has just expired
		current, err := s.reload(ctx, g.ID)
		switch {
		case err == nil && current.Generation > 0:
			return nil, s.revokeReplayedCode(ctx, &current)
		case err != nil && !errors.Is(err, ErrNotFound): // the same request again finds out
			return nil, unavailable(err)
		}
		return nil, invalidGrant("the code is not valid")
	case errors.Is(err, ErrNotFound):
		return nil, invalidGrant("the code is not valid")
	case err != nil:
		return nil, unavailable(err)
	}
	s.event(ctx, Event{Kind: "token.issued", GrantType: grantTypeCode, ClientID: c.ID, Subject: g.Subject, GrantID: g.ID})
	s.limitGrants(ctx, c, g)
	return t, nil
}

// checkCode checks that the code is genuine, and that the client, the redirect URI and the verifier belong to it.
func (s *Server) checkCode(ctx context.Context, c *Client, p params) (*Grant, *oauthError) {
	if p.get("code") == "" {
		return nil, invalidRequest("code is missing")
	}
	_, g, refusal := s.loadPresented(ctx, codeToken, p.get("code"))
	if refusal != nil {
		return nil, refusal
	}
	if g.ClientID != c.ID {
		s.event(ctx, Event{Kind: "client.mismatch", ClientID: c.ID, GrantID: g.ID, GrantType: grantTypeCode})
		return nil, invalidGrant("the code is not valid")
	}
	if g.RedirectURI != p.get("redirect_uri") && (g.RedirectURI != "" || !redirectAllowed(c, p.get("redirect_uri"))) {
		return nil, invalidGrant("redirect_uri differs from the authorization request")
	}
	return &g, checkVerifier(g.Challenge, p.get("code_verifier"))
}

// revokeReplayedCode revokes the grant of a code that was used twice (RFC 6749, Section 4.1.2). checkCode comes first,
// so somebody who only saw a code can revoke nothing. A disconnect must not cancel it.
func (s *Server) revokeReplayedCode(ctx context.Context, g *Grant) *oauthError {
	n, err := s.revokeInStore(context.WithoutCancel(ctx), Selector{ID: g.ID}, "code_replay")
	if err != nil {
		return unavailable(err)
	}
	s.event(ctx, Event{Kind: "code.replayed", ClientID: g.ClientID, Subject: g.Subject, GrantID: g.ID,
		Current: g.Generation, Count: n})
	return invalidGrant("the code is not valid")
}

// validChallenge reports whether challenge can be the S256 challenge of a verifier (RFC 7636, Section 4.2).
func validChallenge(challenge string) bool {
	sum, err := strictBase64.DecodeString(challenge)
	return err == nil && len(sum) == sha256.Size && len(challenge) == base64.RawURLEncoding.EncodedLen(sha256.Size)
}

// checkVerifier checks the code_verifier of a code exchange. A verifier without a challenge is refused too: somebody
// has removed the challenge from the authorization request (RFC 9700, Section 4.8.2).
func checkVerifier(challenge, verifier string) *oauthError {
	if challenge == "" {
		if verifier != "" {
			return invalidGrant("code_verifier is there but the authorization request had no code_challenge")
		}
		return nil
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return invalidGrant("code_verifier is missing or has the wrong length")
	}
	sum := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) != 1 {
		return invalidGrant("code_verifier does not fit code_challenge")
	}
	return nil
}
