package authclient

import (
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// Challenge exposes a challenge.
type Challenge struct {
	Scheme string
	Params map[string]string
}

func ParseChallenges(h http.Header) []Challenge {
	var all []Challenge
	for _, c := range parseChallenges(h) {
		all = append(all, Challenge{c.scheme, c.params})
	}
	return all
}

// TokenFromAnswer parses a token response like a refresh.
func TokenFromAnswer(body []byte, prev *oauth2.Token, sent time.Time) (*oauth2.Token, error) {
	members, err := decodeTokenResponse(body)
	if err != nil {
		return nil, err
	}
	return tokenFrom(members, prev, sent)
}

func RetryAfter(h http.Header, now time.Time) time.Duration { return retryAfter(h, now) }

func SameLogin(before, now string) error { return sameLogin(before, now) }

func DecodeTokenFile(data []byte) (*oauth2.Token, error) { return decodeTokenFile(data) }

func EncodeTokenFile(token *oauth2.Token) ([]byte, error) { return encodeTokenFile(token) }

// Opinions exposes what the origins have said of a token.
type Opinions struct{ token *cachedToken }

func NewOpinions() *Opinions { return &Opinions{new(cachedToken)} }

// Accepted records that origin has accepted the token.
func (o *Opinions) Accepted(origin string) { o.token.opinion(origin).accepted = true }

// Rejected records a 401 of origin and reports whether it may cause a refresh.
func (o *Opinions) Rejected(origin string) bool { return o.token.opinion(origin).mayRefresh() }

// RetryRejected records a 401 in answer to a retry.
func (o *Opinions) RetryRejected(origin string) { o.token.opinion(origin).retryRejected() }

// Next returns the opinions of the token that a refresh for the origin has fetched.
func (o *Opinions) Next(fetchedFor string) *Opinions {
	next := &Opinions{new(cachedToken)}
	next.token.opinion(fetchedFor).fetchedFor = true
	next.token.inheritOrigins(o.token)
	return next
}
