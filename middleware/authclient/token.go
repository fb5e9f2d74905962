package authclient

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/internal/weburl"
)

// cachedToken is a token, the time when it is due for a refresh, and what the origins of the API have said of it. The
// refresher's mutex guards the map; the rest does not change.
type cachedToken struct {
	token   *oauth2.Token
	expiry  time.Time // zero: unknown
	due     time.Time // zero: never by the clock
	origins map[string]*opinion
}

// newCachedToken returns a cachedToken for a token that was received at the time now.
func newCachedToken(token *oauth2.Token, margin time.Duration, now time.Time) *cachedToken {
	t := &cachedToken{token: token}
	if token.Expiry.IsZero() {
		return t
	}
	// By the wall clock: the monotonic clock stops while the machine sleeps, and a stored token has none.
	t.expiry = token.Expiry.Round(0)
	t.due = t.expiry
	if token.RefreshToken == "" {
		return t
	}
	lifetime := time.Duration(token.ExpiresIn) * time.Second
	if token.ExpiresIn <= 0 || token.ExpiresIn > maxExpiresIn {
		lifetime = max(0, t.expiry.Sub(now.Round(0)))
	}
	// With a fixed margin a token with a shorter lifetime would always be due, and every call would refresh.
	margin = min(margin, lifetime/5)
	t.due = t.expiry.Add(-margin - jitter(margin/10))
	return t
}

func (t *cachedToken) expired(now time.Time) bool {
	return !t.expiry.IsZero() && !now.Round(0).Before(t.expiry)
}

func (t *cachedToken) isDue(now time.Time) bool {
	return t.refreshNext() || !t.due.IsZero() && !now.Round(0).Before(t.due)
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

// checkToken returns an error if token cannot be sent. The error does not contain the token.
func checkToken(token *oauth2.Token) error {
	switch {
	case token == nil:
		return errors.New("authclient: the token is nil")
	case token.AccessToken == "":
		return errors.New("authclient: there is no access token")
	case !isPrintable(token.AccessToken, '!'):
		return errors.New("authclient: the access token has characters that a header cannot carry")
	case !isPrintable(token.RefreshToken, ' '):
		return errors.New("authclient: the refresh token has characters that RFC 6749, Appendix A.17 does not allow")
	case scheme(token) == "":
		return fmt.Errorf("authclient: token type %q is neither Bearer nor DPoP", weburl.Clip(token.TokenType, maxQuoted))
	}
	return nil
}

// scheme returns the scheme of the Authorization header for token, or "" for an unknown token type. The proof of a DPoP
// token is for the Base to add.
func scheme(token *oauth2.Token) string {
	switch strings.ToLower(token.TokenType) {
	case "", "bearer":
		return "Bearer"
	case "dpop":
		return "DPoP"
	}
	return ""
}

// isPrintable reports whether s has only ASCII characters from first to '~'.
func isPrintable(s string, first byte) bool {
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
