package authclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/internal/fetch"
	"github.com/bearergate/bearergate/internal/weburl"
)

const (
	maxAnswer = 1 << 20 // the largest token response, in bytes
	maxQuoted = 200     // the longest foreign text that an error repeats, in bytes

	// Both attempts of one refresh must arrive within the server's grace period for a lost answer (10 s at the
	// strictest known server). Otherwise the second looks like the use of a stolen token, and ends the grant.
	firstAttempt = 5 * time.Second
	maxRetryWait = 2 * time.Second
	minRetryWait = 250 * time.Millisecond
)

// tokenEndpoint makes the refresh request (RFC 6749, Section 6).
type tokenEndpoint struct {
	url        *url.URL
	id, secret string
	inHeader   bool
	scopes     []string
	transport  http.RoundTripper
	timeout    time.Duration
	now        func() time.Time
}

// requestError is a refresh request that has failed.
type requestError struct {
	cause      error
	retryable  bool          // the same request may be made again: no answer, 5xx or 429
	rejected   bool          // 4xx: the client or the request is wrong, so an early retry does not help
	retryAfter time.Duration // 0: not set
}

func (e *requestError) Error() string {
	var answer *oauth2.RetrieveError
	if errors.As(e.cause, &answer) && answer.ErrorCode == "" {
		// Its own text has a second line for the body, which we do not keep.
		return "token endpoint: " + answer.Response.Status
	}
	return e.cause.Error()
}
func (e *requestError) Unwrap() error { return e.cause }

// refresh returns the successor of prev. It makes at most two attempts with the same refresh token.
func (e *tokenEndpoint) refresh(ctx context.Context, prev *oauth2.Token) (*oauth2.Token, error) {
	next, err := e.attempt(ctx, prev, min(firstAttempt, e.timeout/2))
	var failed *requestError
	if !errors.As(err, &failed) || !failed.retryable || failed.retryAfter > maxRetryWait || ctx.Err() != nil {
		return next, err
	}
	wait := time.NewTimer(max(failed.retryAfter, minRetryWait) + jitter(minRetryWait))
	defer wait.Stop()
	select {
	case <-wait.C:
		return e.attempt(ctx, prev, e.timeout) // ctx bounds it to the rest of the timeout
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
	sent := e.now() // the lifetime counts from here, because the server may have started to count at any later moment
	// Not an http.Client, which would follow redirects with the refresh token.
	resp, err := e.transport.RoundTrip(req)
	if err != nil {
		return nil, &requestError{cause: fmt.Errorf("token endpoint: %w", err), retryable: true}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, &requestError{cause: fmt.Errorf("token endpoint: read the answer: %w", err), retryable: true}
	}
	if len(body) > maxAnswer {
		return nil, &requestError{cause: fmt.Errorf("token endpoint: the answer is larger than %d bytes", maxAnswer)}
	}
	members, jsonErr := decodeTokenResponse(body)
	if code, _ := members["error"].(string); code != "" || resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, e.errorFrom(resp, members, prev)
	}
	if jsonErr != nil {
		return nil, &requestError{cause: jsonErr}
	}
	next, err := tokenFrom(members, prev, sent)
	if err != nil {
		var over *grantEndedError
		if errors.As(err, &over) {
			return nil, err
		}
		return nil, &requestError{cause: err}
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

// basic returns the client's credentials for HTTP Basic. RFC 6749, Section 2.3.1: both are form-urlencoded first, so a
// space becomes "+" and a colon cannot split them.
func (e *tokenEndpoint) basic() string {
	return base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(e.id) + ":" + url.QueryEscape(e.secret)))
}

// containsSecret reports whether a foreign text contains one of our secrets: as it is, as it is spelled in the
// request, or as a server may have re-encoded it.
func (e *tokenEndpoint) containsSecret(text string, prev *oauth2.Token) bool {
	if e.secret != "" && strings.Contains(text, e.basic()) {
		return true
	}
	for _, secret := range []string{prev.RefreshToken, prev.AccessToken, e.secret} {
		for _, spelling := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if spelling != "" && strings.Contains(text, spelling) {
				return true
			}
		}
	}
	return false
}

// errorFrom returns the error for an answer without a token. Its text repeats the server's texts, except those that
// contain a secret of ours. It does not keep the body.
func (e *tokenEndpoint) errorFrom(resp *http.Response, members map[string]any, prev *oauth2.Token) error {
	foreign := func(name string) string {
		s, _ := members[name].(string)
		if e.containsSecret(s, prev) {
			return ""
		}
		return weburl.Clip(s, maxQuoted)
	}
	cause := &oauth2.RetrieveError{
		Response:         &http.Response{Status: resp.Status, StatusCode: resp.StatusCode, Header: make(http.Header)},
		ErrorCode:        foreign("error"),
		ErrorDescription: foreign("error_description"),
		ErrorURI:         foreign("error_uri"),
	}
	busy := resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests
	return &requestError{
		cause:      cause,
		retryable:  busy,
		rejected:   !busy && resp.StatusCode >= 400,
		retryAfter: retryAfter(resp.Header, e.now()),
	}
}

// isInvalidGrant reports whether the server has answered that the refresh token is no longer valid (RFC 6749,
// Section 5.2).
func isInvalidGrant(err error) bool {
	var failed *requestError
	var answer *oauth2.RetrieveError
	return errors.As(err, &failed) && !failed.retryable &&
		errors.As(failed.cause, &answer) && answer.ErrorCode == "invalid_grant"
}

// refreshPause returns how long to wait after that many failures in a row, of which err is the last.
func refreshPause(failures int, err error) time.Duration {
	p := min(time.Second<<min(failures-1, 6), time.Minute)
	var failed *requestError
	if errors.As(err, &failed) {
		if failed.rejected {
			p = time.Minute
		}
		p = max(p, failed.retryAfter)
	}
	return p
}

// retryAfter returns how long the answer asks to wait, at most an hour, or 0 if it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	return min(fetch.RetryAfter(h, now), time.Hour)
}
