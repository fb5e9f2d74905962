package authserver

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ReasonLength is the maximum size in bytes of the reason of a revocation.
const ReasonLength = 32

// HistoryLength is how many supersession times a row keeps. Within the grace a client may be that many generations
// behind.
const HistoryLength = 8

// maxName is the maximum size in bytes of a subject, a client id or a session id: every store can index that much.
const maxName = 1024

// Grant is one row of the [Store]: what a user, or the application with [Server.IssueTokens], allowed one client, and
// all refresh tokens that descend from it. It holds no token, and no token can be made from it without
// [Config].RefreshKeys. Generation 0 is the authorization code; the first refresh token is generation 1.
//
// A store keeps all fields as they are. After Create only Advance and Revoke change a row, and only the fields below
// the line.
type Grant struct {
	ID        string   `json:"id"`
	Salt      []byte   `json:"salt"`
	ClientID  string   `json:"client_id"`
	Subject   string   `json:"sub"`
	Scopes    []string `json:"scopes,omitempty"`
	Resources []string `json:"resources,omitempty"` // as requested with the resource parameter; empty: as the scopes say
	Refresh   bool     `json:"refresh,omitempty"`   // whether the grant has refresh tokens

	RedirectURI string    `json:"redirect_uri,omitempty"`
	Challenge   string    `json:"challenge,omitempty"` // PKCE S256
	Nonce       string    `json:"nonce,omitempty"`
	SessionID   string    `json:"sid,omitempty"` // of the login at the browser
	AuthTime    time.Time `json:"auth_time,omitzero"`
	ACR         string    `json:"acr,omitempty"`
	AMR         []string  `json:"amr,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"` // the absolute end

	// ------------------------------------------------------------------------------------------------------------------

	Generation    uint32    `json:"gen"`
	IdleExpiresAt time.Time `json:"idle_expires_at"` // of the code while Generation is 0
	// History holds when the last generations were superseded. Its last element belongs to Generation-1.
	History []time.Time `json:"history,omitempty"`
	Replays int         `json:"replays,omitempty"` // of the current generation
	// AccessExpiresAt is until when an API may accept an access token that was issued under the grant: the latest exp,
	// and five minutes for clocks that differ.
	AccessExpiresAt time.Time `json:"access_expires_at,omitzero"`
	RevokedAt       time.Time `json:"revoked_at,omitzero"`
	RevokeReason    string    `json:"revoke_reason,omitempty"`
}

// storable returns an error for what an application or a configuration may choose and a [Store] does not promise to
// keep. A store that changed a subject could not find the grant when it must be revoked.
func (g *Grant) storable() error {
	for name, v := range map[string]string{"subject": g.Subject, "client id": g.ClientID, "session id": g.SessionID} {
		if len(v) > maxName {
			return fmt.Errorf("authserver: the %s has %d bytes, more than %d", name, len(v), maxName)
		}
	}
	all := slices.Concat([]string{g.Subject, g.ClientID, g.SessionID, g.RedirectURI, g.Challenge, g.ACR},
		g.AMR, g.Scopes, g.Resources)
	for _, v := range all {
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return errors.New("authserver: the subject, or another text to be stored, is not UTF-8 without U+0000")
		}
	}
	return nil
}

// Expired reports whether the grant has expired at now.
func (g *Grant) Expired(now time.Time) bool {
	return !now.Before(g.ExpiresAt) || !now.Before(g.IdleExpiresAt)
}

// Active reports whether the grant is neither revoked nor expired at now.
func (g *Grant) Active(now time.Time) bool { return g.RevokedAt.IsZero() && !g.Expired(now) }

// DisposableAt returns when a store may delete the row if nothing else happens to it: the grant is over, and no API
// accepts an access token that was issued under it. Until then introspection and [Store.Revoked] need the row.
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

// Advance does to a row what [Store.Advance] promises, for stores that keep rows as a whole. The caller makes it
// atomic. Errors: [ErrConflict].
func (g *Grant) Advance(s Step) error {
	if g.Generation != s.From || !g.Active(s.Now) {
		return ErrConflict
	}
	if s.To != s.From {
		past := g.History
		if s.To != s.From+1 { // generations were skipped: nobody knows when they were superseded
			past = nil
		}
		if extra := len(past) + 1 - HistoryLength; extra > 0 {
			past = past[extra:]
		}
		g.Generation = s.To
		g.History = slices.Concat(past, []time.Time{s.Now}) // copies of the row keep theirs
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

// revocation returns the entry of a revoked grant in [Store.Revoked].
func (g *Grant) revocation() Revocation {
	return Revocation{ID: g.ID, At: g.RevokedAt, AccessExpiresAt: g.AccessExpiresAt}
}

// compare orders revocations as [Store.Revoked] lists them.
func (r Revocation) compare(other Revocation) int {
	return cmp.Or(r.At.Compare(other.At), strings.Compare(r.ID, other.ID))
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

// tokenState is what a refresh token is, compared with its row.
type tokenState int

const (
	tokenCurrent     tokenState = iota // the newest there is
	tokenWithinGrace                   // superseded a moment ago
	tokenReused                        // superseded longer ago: the client or a thief holds a copy
	tokenAhead                         // ahead of the store: the store has lost commits
	tokenInactive                      // the grant is expired or revoked
)

// tokenState returns what a refresh token of generation gen is at now.
func (g *Grant) tokenState(gen uint32, now time.Time, grace time.Duration) tokenState {
	switch {
	case !g.Active(now) || !g.Refresh || g.Generation == 0:
		return tokenInactive
	case gen == g.Generation:
		return tokenCurrent
	case gen > g.Generation:
		return tokenAhead
	case g.withinGrace(gen, now, grace):
		return tokenWithinGrace
	default:
		return tokenReused
	}
}

// withinGrace reports whether generation gen was superseded so recently that its tokens are still accepted.
func (g *Grant) withinGrace(gen uint32, now time.Time, grace time.Duration) bool {
	at, known := g.supersededAt(gen)
	return known && gen > 0 && grace > 0 && !now.After(at.Add(grace))
}

// supersededAt returns when generation gen was superseded, if the row still knows.
func (g *Grant) supersededAt(gen uint32) (time.Time, bool) {
	back := int64(g.Generation) - 1 - int64(gen) // 0: the one just before the current one
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
