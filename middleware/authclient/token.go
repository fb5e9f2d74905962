package authclient

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// held is the token a session has, when it is due to be refreshed, and what the API's origins said of it. The maps are
// guarded by the session's mutex, the rest does not change.
type held struct {
	token  *oauth2.Token
	expiry time.Time // zero: unknown
	due    time.Time // zero: never by the clock

	spoiltBy map[string]bool // origins that have refused it and wait for the next request to refresh it
	demanded map[string]bool // origins whose 401 brought this token about
	accepted map[string]bool // origins that have answered it with something else than 401
	rejected map[string]bool // origins that get no refresh of it any more
}

// newHeld takes token into use at the time now.
func newHeld(token *oauth2.Token, margin time.Duration, now time.Time) *held {
	h := &held{
		token:    token,
		spoiltBy: make(map[string]bool),
		demanded: make(map[string]bool),
		accepted: make(map[string]bool),
		rejected: make(map[string]bool),
	}
	if token.Expiry.IsZero() {
		return h
	}
	// Wall clock: the monotonic one stands still while the machine sleeps, and a stored token has none.
	h.expiry = token.Expiry.Round(0)
	h.due = h.expiry
	if token.RefreshToken == "" {
		return h
	}
	lifetime := time.Duration(token.ExpiresIn) * time.Second
	if token.ExpiresIn <= 0 || token.ExpiresIn > maxExpiresIn {
		lifetime = max(0, h.expiry.Sub(now.Round(0)))
	}
	// A fixed margin would make a token that lives shorter than it due for ever, and refresh on each call.
	margin = min(margin, lifetime/5)
	h.due = h.expiry.Add(-margin - jitter(margin/10))
	return h
}

func (h *held) expired(now time.Time) bool {
	return !h.expiry.IsZero() && !now.Round(0).Before(h.expiry)
}

func (h *held) isDue(now time.Time) bool {
	return len(h.spoiltBy) > 0 || !h.due.IsZero() && !now.Round(0).Before(h.due)
}

// jitter returns a random duration from 0 up to, but not including, limit.
func jitter(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(limit))
}

// checkToken reports why token can't be sent, without saying what it is.
func checkToken(token *oauth2.Token) error {
	switch {
	case token == nil:
		return errors.New("authclient: token is nil")
	case token.AccessToken == "":
		return errors.New("authclient: token has no access token")
	case !visible(token.AccessToken, '!'):
		return errors.New("authclient: access token has characters that no header can carry")
	case !visible(token.RefreshToken, ' '):
		return errors.New("authclient: refresh token has characters that RFC 6749, appendix A.17 excludes")
	case scheme(token) == "":
		return fmt.Errorf("authclient: token type %q is neither Bearer nor DPoP", cut(token.TokenType))
	}
	return nil
}

// scheme returns the scheme of the Authorization header for token, "" if we know none. A DPoP token is sent as such; the
// proof that belongs to it is for the Base to add.
func scheme(token *oauth2.Token) string {
	switch strings.ToLower(token.TokenType) {
	case "", "bearer":
		return "Bearer"
	case "dpop":
		return "DPoP"
	}
	return ""
}

// visible reports whether s is printable ASCII and nothing of it lies before first.
func visible(s string, first byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < first || s[i] > '~' {
			return false
		}
	}
	return true
}

func cloneToken(token *oauth2.Token) *oauth2.Token {
	if token == nil {
		return nil
	}
	t := *token
	return &t
}

// cut shortens a foreign text for an error.
func cut(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
