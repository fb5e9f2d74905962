package authclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	maxAnswer = 1 << 20 // bytes of a token response that are read

	// The two tries of one refresh must both come within the server's grace for a lost answer (10 s at the strictest
	// known), or the second looks like the use of a stolen token and ends the session.
	firstTry     = 5 * time.Second
	maxRetryWait = 2 * time.Second
	minRetryWait = 250 * time.Millisecond
)

// tokenEndpoint makes the refresh request (RFC 6749, section 6).
type tokenEndpoint struct {
	url        *url.URL
	id, secret string
	inHeader   bool
	scopes     []string
	transport  http.RoundTripper
	timeout    time.Duration
	now        func() time.Time
}

// failure is a refresh that brought no token.
type failure struct {
	cause   error
	again   bool          // the same request may be made again: no answer, 5xx or 429
	refused bool          // 4xx: the client or the request is wrong, which time alone does not mend
	after   time.Duration // Retry-After; 0: not said
}

func (f *failure) Error() string {
	var said *oauth2.RetrieveError
	if errors.As(f.cause, &said) && said.ErrorCode == "" {
		return "token endpoint: " + said.Response.Status // its own text has a second line, for a body we don't keep
	}
	return f.cause.Error()
}
func (f *failure) Unwrap() error { return f.cause }

// refresh returns the successor of prev. It makes at most two tries, the second with the same refresh token.
func (e *tokenEndpoint) refresh(ctx context.Context, prev *oauth2.Token) (*oauth2.Token, error) {
	next, err := e.attempt(ctx, prev, min(firstTry, e.timeout/2))
	var f *failure
	if !errors.As(err, &f) || !f.again || f.after > maxRetryWait || ctx.Err() != nil {
		return next, err
	}
	wait := time.NewTimer(max(f.after, minRetryWait) + jitter(minRetryWait))
	defer wait.Stop()
	select {
	case <-wait.C:
		return e.attempt(ctx, prev, e.timeout) // ctx has the rest of the timeout
	case <-ctx.Done():
		return nil, err
	}
}

// attempt makes one request.
func (e *tokenEndpoint) attempt(ctx context.Context, prev *oauth2.Token, timeout time.Duration) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := e.newRequest(ctx, prev)
	if err != nil {
		return nil, err
	}
	sent := e.now() // the lifetime counts from here, since the server may have counted from any later moment
	// A RoundTripper and no http.Client: that would follow redirects, with the refresh token.
	resp, err := e.transport.RoundTrip(req)
	if err != nil {
		return nil, &failure{cause: fmt.Errorf("token endpoint: %w", err), again: true}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, &failure{cause: fmt.Errorf("token endpoint: reading the answer: %w", err), again: true}
	}
	if len(body) > maxAnswer {
		return nil, &failure{cause: fmt.Errorf("token endpoint: answer is larger than %d bytes", maxAnswer)}
	}
	members, jsonErr := decodeAnswer(body)
	if code, _ := members["error"].(string); code != "" || resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, e.refusal(resp, members, prev)
	}
	if jsonErr != nil {
		return nil, &failure{cause: jsonErr}
	}
	next, err := tokenFrom(members, prev, sent)
	if err != nil {
		var over *endedError
		if errors.As(err, &over) {
			return nil, err
		}
		return nil, &failure{cause: err}
	}
	return next, nil
}

func (e *tokenEndpoint) newRequest(ctx context.Context, prev *oauth2.Token) (*http.Request, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {prev.RefreshToken}}
	if len(e.scopes) > 0 {
		form.Set("scope", strings.Join(e.scopes, " "))
	}
	if !e.inHeader {
		form.Set("client_id", e.id)
		if e.secret != "" {
			form.Set("client_secret", e.secret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if e.inHeader {
		req.Header.Set("Authorization", "Basic "+e.basic())
	}
	return req, nil
}

// basic is the client's credentials for HTTP Basic. RFC 6749, section 2.3.1: both are form-urlencoded first, so a space becomes
// "+" and a colon can't split them.
func (e *tokenEndpoint) basic() string {
	return base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(e.id) + ":" + url.QueryEscape(e.secret)))
}

// quotes reports whether a foreign text has one of our secrets in it, in any spelling that it has in a request or that a
// server may have made of that.
func (e *tokenEndpoint) quotes(text string, prev *oauth2.Token) bool {
	if e.secret != "" && strings.Contains(text, e.basic()) {
		return true
	}
	for _, secret := range []string{prev.RefreshToken, prev.AccessToken, e.secret} {
		for _, spelt := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if spelt != "" && strings.Contains(text, spelt) {
				return true
			}
		}
	}
	return false
}

// refusal is the error for an answer that is none of a token. Its text shows what the server said, without what it may
// have quoted of our secrets; the answer's body is not kept.
func (e *tokenEndpoint) refusal(resp *http.Response, members map[string]any, prev *oauth2.Token) error {
	foreign := func(name string) string {
		s, _ := members[name].(string)
		if e.quotes(s, prev) {
			return ""
		}
		return cut(s)
	}
	cause := &oauth2.RetrieveError{
		Response:         &http.Response{Status: resp.Status, StatusCode: resp.StatusCode, Header: make(http.Header)},
		ErrorCode:        foreign("error"),
		ErrorDescription: foreign("error_description"),
		ErrorURI:         foreign("error_uri"),
	}
	busy := resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests
	return &failure{
		cause:   cause,
		again:   busy,
		refused: !busy && resp.StatusCode >= 400,
		after:   retryAfter(resp.Header, e.now()),
	}
}

// isInvalidGrant reports whether err is the server's word that the refresh token is no longer good (RFC 6749, section 5.2).
func isInvalidGrant(err error) bool {
	var f *failure
	var said *oauth2.RetrieveError
	return errors.As(err, &f) && !f.again && errors.As(f.cause, &said) && said.ErrorCode == "invalid_grant"
}

// pause is how long no refresh is made after the failures-th failure in a row, which was err.
func pause(failures int, err error) time.Duration {
	p := min(time.Second<<min(failures-1, 6), time.Minute)
	var f *failure
	if errors.As(err, &f) {
		if f.refused {
			p = time.Minute
		}
		p = max(p, f.after)
	}
	return p
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3), 0 if it says nothing. A date is taken against the answer's own
// Date, not against our clock; more than an hour is taken for an hour.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, time.Hour)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(0, at.Sub(now)), time.Hour)
}
