package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// client is one client with one grant. It is simple on purpose: it stores the refresh token that it got last, and sends
// the same token again as long as it does not know the outcome of a request.
type client struct {
	number int
	grant  string
	token  string
	gen    uint32
	old    []string // some previous tokens, oldest first
	issued map[uint32][sha256.Size]byte
	ended  string // why the client stopped; "": it is running
	// rolledBack reports that the store was behind the client when it rejected the token.
	rolledBack     bool
	revokeAt       time.Time // when the client revokes its grant; zero: never
	revocationLost sync.Once // counts a revocation that the store lost
}

// oldTokens is how many previous tokens a client keeps: the oldest is not in the history of the grant any more.
const oldTokens = authserver.HistoryLength + 2

func newClient(number int, token string) (*client, error) {
	p, err := parsePosition(token)
	if err != nil {
		return nil, err
	}
	c := &client{number: number, grant: p.Grant, issued: map[uint32][sha256.Size]byte{}}
	c.keep(token, p)
	return c, nil
}

func (c *client) keep(token string, p position) {
	if c.token != "" {
		c.old = append(c.old, c.token)
		c.old = c.old[max(0, len(c.old)-oldTokens):]
	}
	c.token, c.gen = token, p.Generation
	c.issued[p.Generation] = sha256.Sum256([]byte(token))
}

// load is all clients and their results.
type load struct {
	issuer     string
	apis       []string
	double     int // percentage of refreshes
	pace       time.Duration
	httpClient *http.Client
	results    *results
	// storeIsBehind reports whether the store has lost a write that a token proves. It is called when a token is
	// rejected.
	storeIsBehind func(ctx context.Context, grant string, generation uint32) bool
	// isActive reports whether the store has an active grant.
	isActive func(ctx context.Context, grant string) bool
}

func newLoad(issuer string, apis []string, clients int) *load {
	return &load{issuer: issuer, apis: apis, results: newResults(), httpClient: &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 2*clients + 10, IdleConnTimeout: 30 * time.Second},
	}}
}

// run lets a client refresh, and call an API with each access token, until the run ends. The client finishes what it
// has begun.
func (l *load) run(ctx context.Context, c *client, until time.Time) {
	defer l.results.activeClients.Add(-1)
	for call := c.number; c.ended == "" && ctx.Err() == nil && time.Now().Before(until); call++ {
		access := l.refresh(ctx, c)
		if access == "" {
			continue
		}
		l.call(ctx, l.apis[call%len(l.apis)], access)
		if !c.revokeAt.IsZero() && time.Now().After(c.revokeAt) {
			l.revoke(ctx, c, access)
			return
		}
		if l.pace > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(l.pace):
			}
		}
	}
	if c.ended == "" && ctx.Err() != nil {
		c.ended = "no answer until the end"
		l.results.noAnswer.Add(1)
	}
}

// refresh exchanges the refresh token and returns the access token. Sometimes it sends two requests at once, as two
// browser tabs do. It returns "" if the client has stopped.
func (l *load) refresh(ctx context.Context, c *client) (access string) {
	answers := make([]answer, 1, 2)
	if rand.IntN(100) < l.double { //nolint:gosec // not a secret
		answers = answers[:2]
		l.results.doubled.Add(1)
	}
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = l.present(ctx, c.token) })
	}
	wg.Wait()
	was := c.token
	for _, a := range answers {
		switch {
		case a.err != nil: // ctx has ended
			return ""
		case a.rejected != "":
			l.lost(ctx, c, a.rejected)
			return ""
		}
		p, err := parsePosition(a.RefreshToken)
		before, known := c.issued[p.Generation]
		switch {
		case err != nil || p.Grant != c.grant || a.RefreshToken == was || p.Generation <= c.gen && c.token == was:
			l.forked(c, fmt.Sprintf("generation %d was answered with generation %d, or another grant", c.gen, p.Generation))
			return ""
		case known && before != sha256.Sum256([]byte(a.RefreshToken)):
			l.forked(c, fmt.Sprintf("two different tokens were issued for generation %d", p.Generation))
			return ""
		}
		if c.token == was {
			c.keep(a.RefreshToken, p)
		} else if p.Generation != c.gen {
			l.forked(c, fmt.Sprintf("one token was answered with generations %d and %d", c.gen, p.Generation))
			return ""
		}
		access = a.AccessToken
	}
	l.results.refreshes.Add(1)
	if kid, err := keyID(access); err == nil {
		l.results.sawKey(kid)
	}
	return access
}

func (l *load) lost(ctx context.Context, c *client, why string) {
	c.ended = why
	c.rolledBack = l.storeIsBehind != nil && l.storeIsBehind(ctx, c.grant, c.gen)
	if c.rolledBack {
		l.results.rolledBack.Add(1)
		return
	}
	l.results.lost.Add(1)
	l.results.note("client %d, generation %d: %s", c.number, c.gen, why)
}

func (l *load) forked(c *client, what string) {
	c.ended = "forked"
	l.results.forked.Add(1)
	l.results.note("client %d: %s", c.number, what)
}

// answer is a final answer of the token endpoint.
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`

	rejected string
	err      error
}

var errOutcomeUnknown = errors.New("the outcome is unknown")

// present sends a refresh token until the outcome is known.
func (l *load) present(ctx context.Context, token string) answer {
	began := time.Now()
	for direct := true; ; direct = false {
		attempt := time.Now()
		a := l.post(ctx, token)
		if a.err == nil {
			l.results.refreshed(time.Since(began), attempt, direct)
			return a
		}
		l.results.retries.Add(1)
		select {
		case <-ctx.Done():
			return a
		case <-time.After(50*time.Millisecond + rand.N(100*time.Millisecond)): //nolint:gosec // not a secret
		}
	}
}

// post sends one request to the token endpoint. An error means that the outcome is unknown.
func (l *load) post(ctx context.Context, token string) (a answer) {
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {loadClient}, "refresh_token": {token}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return answer{err: err}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := l.httpClient.Do(r)
	if err != nil {
		l.results.brokenConnections.Add(1)
		return answer{err: errOutcomeUnknown}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if res.StatusCode >= 500 {
		l.results.serverError(res.StatusCode)
		return answer{err: errOutcomeUnknown}
	}
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if err != nil { // interrupted
		l.results.brokenConnections.Add(1)
		return answer{err: errOutcomeUnknown}
	}
	if res.StatusCode != http.StatusOK {
		a.rejected = fmt.Sprintf("%d %s", res.StatusCode, a.Error)
	}
	return a
}

// maxAPIAttempts limits how often a call is retried after 503.
const maxAPIAttempts = 150

// call calls an API with an access token.
func (l *load) call(ctx context.Context, api, access string) {
	for range maxAPIAttempts {
		status, challenge, err := l.identity(ctx, api, access)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && status == http.StatusOK:
			l.results.calls.Add(1)
			return
		case err == nil && (status == http.StatusUnauthorized || status == http.StatusForbidden):
			l.results.rejectedTokens.Add(1)
			challenge, _, _ = strings.Cut(challenge, ", resource_metadata") // which contains the API's address
			l.results.note("an API rejected a valid access token: %d %s", status, challenge)
			return
		}
		l.results.api503.Add(1)
		time.Sleep(100 * time.Millisecond)
	}
	l.results.unansweredCalls.Add(1)
}

func (l *load) identity(ctx context.Context, api, access string) (status int, challenge string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/identity", nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+access)
	res, err := l.httpClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody))
	return res.StatusCode, res.Header.Get("WWW-Authenticate"), errors.Join(err, res.Body.Close())
}
