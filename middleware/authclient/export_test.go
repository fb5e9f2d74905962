package authclient

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// Challenge is what ParseChallenges returns for one challenge.
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

// TokenFromAnswer reads a token response as the refresh does.
func TokenFromAnswer(body []byte, prev *oauth2.Token, sent time.Time) (*oauth2.Token, error) {
	members, err := decodeAnswer(body)
	if err != nil {
		return nil, err
	}
	return tokenFrom(members, prev, sent)
}

func RetryAfter(h http.Header, now time.Time) time.Duration { return retryAfter(h, now) }

func SameLogin(before, now string) error { return sameLogin(before, now) }

func DecodeTokenFile(data []byte) (*oauth2.Token, error) { return decodeTokenFile(data) }

func EncodeTokenFile(token *oauth2.Token) ([]byte, error) { return encodeTokenFile(token) }

func LockExclusive(ctx context.Context, name string) (func(), error) { return lockExclusive(ctx, name) }
