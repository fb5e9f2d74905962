package authserver

import (
	"slices"
	"time"
)

// HistoryLength is how many supersession times a row keeps: a client may be so many generations behind within the grace.
const HistoryLength = 8

// Grant is one row of the [Store]: what a user (or the application, by [Server.IssueTokens]) allowed one client, and the
// family of refresh tokens that descends from it. It holds no token and nothing that a token can be made from without the
// keys of [Config].RefreshKeys. Generation 0 is the authorization code; the first refresh token is generation 1.
//
// A store keeps all fields as they are. After Create only Advance and Revoke change a row, and only the fields below the line.
type Grant struct {
	ID        string   `json:"id"`
	Salt      []byte   `json:"salt"`
	ClientID  string   `json:"client_id"`
	Subject   string   `json:"sub"`
	Scopes    []string `json:"scopes,omitempty"`
	Resources []string `json:"resources,omitempty"` // as asked for with the resource parameter; empty: as the scopes say
	// Refresh says that the grant has refresh tokens.
	Refresh bool `json:"refresh,omitempty"`

	RedirectURI string    `json:"redirect_uri,omitempty"`
	Challenge   string    `json:"challenge,omitempty"` // PKCE S256
	Nonce       string    `json:"nonce,omitempty"`
	SessionID   string    `json:"sid,omitempty"`
	AuthTime    time.Time `json:"auth_time,omitzero"`
	ACR         string    `json:"acr,omitempty"`
	AMR         []string  `json:"amr,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"` // whatever happens

	// ------------------------------------------------------------------------------------------------------------------

	Generation    uint32    `json:"gen"`
	IdleExpiresAt time.Time `json:"idle_expires_at"` // of the code while Generation is 0
	// History holds when the last generations were superseded; its last element belongs to Generation-1.
	History         []time.Time `json:"history,omitempty"`
	Replays         int         `json:"replays,omitempty"` // of the present generation
	AccessExpiresAt time.Time   `json:"access_expires_at,omitzero"`
	RevokedAt       time.Time   `json:"revoked_at,omitzero"`
	RevokeReason    string      `json:"revoke_reason,omitempty"`
}

// Expired tells whether the grant has run out at now.
func (g *Grant) Expired(now time.Time) bool {
	return !now.Before(g.ExpiresAt) || !now.Before(g.IdleExpiresAt)
}

// Active tells whether the grant is neither revoked nor expired.
func (g *Grant) Active(now time.Time) bool { return g.RevokedAt.IsZero() && !g.Expired(now) }

// DisposableAt returns when the row can be deleted if nothing happens to it: when it is over, and every access token that was issued
// under it as well. Until then introspection and a list of revoked sessions still need it.
func (g *Grant) DisposableAt() time.Time {
	end := earlier(g.ExpiresAt, g.IdleExpiresAt)
	if !g.RevokedAt.IsZero() {
		end = earlier(end, g.RevokedAt)
	}
	if g.AccessExpiresAt.After(end) {
		return g.AccessExpiresAt
	}
	return end
}

// Advance does to a row what [Store.Advance] promises, for stores that keep rows as a whole. The caller makes it atomic.
func (g *Grant) Advance(s Step) error {
	if g.Generation != s.From || !g.Active(s.Now) {
		return ErrConflict
	}
	if s.To != s.From {
		if s.To != s.From+1 { // generations were skipped: when they were superseded is not known
			g.History = nil
		}
		g.Generation = s.To
		g.History = append(slices.Clip(g.History), s.Now)
		if extra := len(g.History) - HistoryLength; extra > 0 {
			g.History = slices.Clone(g.History[extra:])
		}
		g.Replays = 0
	}
	if s.Replay {
		g.Replays++
	}
	if !s.IdleExpiresAt.IsZero() {
		g.IdleExpiresAt = s.IdleExpiresAt
	}
	if s.AccessExpiresAt.After(g.AccessExpiresAt) {
		g.AccessExpiresAt = s.AccessExpiresAt
	}
	return nil
}

// clone returns a copy that shares nothing with g.
func (g Grant) clone() Grant {
	g.Salt = slices.Clone(g.Salt)
	g.Scopes = slices.Clone(g.Scopes)
	g.Resources = slices.Clone(g.Resources)
	g.AMR = slices.Clone(g.AMR)
	g.History = slices.Clone(g.History)
	return g
}

// supersededAt returns when generation gen gave way to its successor, if the row still knows.
func (g *Grant) supersededAt(gen uint32) (time.Time, bool) {
	back := int64(g.Generation) - 1 - int64(gen) // 0: the one just before the present
	if back < 0 || back >= int64(len(g.History)) {
		return time.Time{}, false
	}
	return g.History[int64(len(g.History))-1-back], true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
