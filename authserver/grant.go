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

// ReasonLength is how many bytes a reason for a revocation may have.
const ReasonLength = 32

// HistoryLength is how many supersession times a row keeps: a client may be so many generations behind within the grace.
const HistoryLength = 8

// Grant is one row of the [Store]: what a user (or the application, by [Server.IssueTokens]) allowed one client, and the
// grant of refresh tokens that descends from it. It holds no token and nothing that a token can be made from without the
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
	History []time.Time `json:"history,omitempty"`
	Replays int         `json:"replays,omitempty"` // of the present generation
	// AccessExpiresAt is until when an API may accept an access token that was issued under the grant: the latest exp, and five minutes
	// for clocks that differ.
	AccessExpiresAt time.Time `json:"access_expires_at,omitzero"`
	RevokedAt       time.Time `json:"revoked_at,omitzero"`
	RevokeReason    string    `json:"revoke_reason,omitempty"`
}

// maxName is how long a subject, a client id or a session id may be: every store can index so much.
const maxName = 1024

// storable refuses what applications and configurations may give and [Store] does not promise to keep. A store that changed a subject
// would not find it again when it is to be revoked.
func (g *Grant) storable() error {
	for name, v := range map[string]string{"subject": g.Subject, "client id": g.ClientID, "session id": g.SessionID} {
		if len(v) > maxName {
			return fmt.Errorf("authserver: the %s has more than %d bytes", name, maxName)
		}
	}
	all := slices.Concat([]string{g.Subject, g.ClientID, g.SessionID, g.RedirectURI, g.Challenge, g.ACR}, g.AMR, g.Scopes, g.Resources)
	for _, v := range all {
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return errors.New("authserver: the subject, or something else that is to be stored, is not UTF-8 without U+0000")
		}
	}
	return nil
}

// Expired tells whether the grant has run out at now.
func (g *Grant) Expired(now time.Time) bool {
	return !now.Before(g.ExpiresAt) || !now.Before(g.IdleExpiresAt)
}

// Active tells whether the grant is neither revoked nor expired.
func (g *Grant) Active(now time.Time) bool { return g.RevokedAt.IsZero() && !g.Expired(now) }

// DisposableAt returns when the row can be deleted if nothing happens to it: when it is over, and no API accepts an access token any
// more that was issued under it. Until then introspection and [Store.Revoked] need it.
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
		past := g.History
		if s.To != s.From+1 { // generations were skipped: when they were superseded is not known
			past = nil
		}
		if extra := len(past) + 1 - HistoryLength; extra > 0 {
			past = past[extra:]
		}
		g.Generation = s.To
		g.History = append(append(make([]time.Time, 0, len(past)+1), past...), s.Now) // copies of the row keep theirs
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

// revocation is the entry of a revoked grant in [Store.Revoked].
func (g *Grant) revocation() Revocation {
	return Revocation{ID: g.ID, At: g.RevokedAt, AccessExpiresAt: g.AccessExpiresAt}
}

// compare says which comes first in [Store.Revoked].
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
