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

// session is one client with one session. It is plain on purpose: it keeps the refresh token that it got last, and as long as it does
// not know what became of a request it sends the same token again.
type session struct {
	number int
	grant  string
	token  string
	gen    uint32
	old    []string // some that came before, oldest first
	handed map[uint32][sha256.Size]byte
	ended  string // why the session is over; empty: it goes on
	// rolledBack says that the store was behind the client when it ended the session.
	rolledBack bool
	revokeAt   time.Time // when the client ends it; zero: never
	undone     sync.Once // its end, by a store that forgot
}

// olds is how many former tokens are kept: one of them is older than all that a row remembers.
const olds = authserver.HistoryLength + 2

func newSession(number int, token string) (*session, error) {
	p, err := placeOf(token)
	if err != nil {
		return nil, err
	}
	s := &session{number: number, grant: p.Grant, handed: map[uint32][sha256.Size]byte{}}
	s.keep(token, p)
	return s, nil
}

func (s *session) keep(token string, p place) {
	if s.token != "" {
		s.old = append(s.old, s.token)
		s.old = s.old[max(0, len(s.old)-olds):]
	}
	s.token, s.gen = token, p.Generation
	s.handed[p.Generation] = sha256.Sum256([]byte(token))
}

// load is all clients, and what they find.
type load struct {
	issuer string
	apis   []string
	double int // of a hundred refreshes
	pace   time.Duration
	client *http.Client
	tally  *tally
	// behind tells whether the store has lost what a token proves: it is asked when a token is refused.
	behind func(ctx context.Context, grant string, generation uint32) bool
	// alive tells whether the store has a session that is not over.
	alive func(ctx context.Context, grant string) bool
}

func newLoad(issuer string, apis []string, sessions int) *load {
	return &load{issuer: issuer, apis: apis, tally: newTally(), client: &http.Client{
		Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2*sessions + 10, IdleConnTimeout: 30 * time.Second},
	}}
}

// run has one session refresh, and call an API with each new access token, until the time is over; what it has begun it ends.
func (l *load) run(ctx context.Context, s *session, until time.Time) {
	defer l.tally.going.Add(-1)
	for call := s.number; s.ended == "" && ctx.Err() == nil && time.Now().Before(until); call++ {
		access := l.refresh(ctx, s)
		if access == "" {
			continue
		}
		l.call(ctx, l.apis[call%len(l.apis)], access)
		if !s.revokeAt.IsZero() && time.Now().After(s.revokeAt) {
			l.revoke(ctx, s, access)
			return
		}
		if l.pace > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(l.pace):
			}
		}
	}
	if s.ended == "" && ctx.Err() != nil {
		s.ended = "no answer to the end"
		l.tally.stuck.Add(1)
	}
}

// refresh goes from one refresh token to the next and returns the access token; now and then as two tabs of a browser would, which
// do not know of each other. It returns nothing if that was the end of the session.
func (l *load) refresh(ctx context.Context, s *session) (access string) {
	answers := make([]answer, 1, 2)
	if rand.IntN(100) < l.double { //nolint:gosec // nobody gains by guessing it
		answers = answers[:2]
		l.tally.doubled.Add(1)
	}
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = l.insist(ctx, s.token) })
	}
	wg.Wait()
	was := s.token
	for _, a := range answers {
		switch {
		case a.err != nil: // ctx has ended
			return ""
		case a.refused != "":
			l.lost(ctx, s, a.refused)
			return ""
		}
		p, err := placeOf(a.RefreshToken)
		before, known := s.handed[p.Generation]
		switch {
		case err != nil || p.Grant != s.grant || a.RefreshToken == was || p.Generation <= s.gen && s.token == was:
			l.forked(s, fmt.Sprintf("generation %d was answered with generation %d, or another session", s.gen, p.Generation))
			return ""
		case known && before != sha256.Sum256([]byte(a.RefreshToken)):
			l.forked(s, fmt.Sprintf("generation %d was given out with two values", p.Generation))
			return ""
		}
		if s.token == was {
			s.keep(a.RefreshToken, p)
		} else if p.Generation != s.gen {
			l.forked(s, fmt.Sprintf("one token had generations %d and %d as successors", s.gen, p.Generation))
			return ""
		}
		access = a.AccessToken
	}
	l.tally.refreshes.Add(1)
	if kid, err := signedWith(access); err == nil {
		l.tally.signedWith(kid)
	}
	return access
}

func (l *load) lost(ctx context.Context, s *session, why string) {
	s.ended = why
	s.rolledBack = l.behind != nil && l.behind(ctx, s.grant, s.gen)
	if s.rolledBack {
		l.tally.rolledBack.Add(1)
		return
	}
	l.tally.lost.Add(1)
	l.tally.say("session %d, generation %d: %s", s.number, s.gen, why)
}

func (l *load) forked(s *session, what string) {
	s.ended = "forked"
	l.tally.forked.Add(1)
	l.tally.say("session %d: %s", s.number, what)
}

// answer is what the token endpoint said in the end.
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`

	refused string
	err     error
}

var errOutcomeUnknown = errors.New("the outcome is unknown")

// insist sends one refresh token until there is an answer that says something.
func (l *load) insist(ctx context.Context, token string) answer {
	began := time.Now()
	for clean := true; ; clean = false {
		attempt := time.Now()
		a := l.post(ctx, token)
		if a.err == nil {
			l.tally.took(time.Since(began), attempt, clean)
			return a
		}
		l.tally.retries.Add(1)
		select {
		case <-ctx.Done():
			return a
		case <-time.After(50*time.Millisecond + rand.N(100*time.Millisecond)): //nolint:gosec // nobody gains by guessing it
		}
	}
}

// post is one request to the token endpoint. An error means that the client has learned nothing.
func (l *load) post(ctx context.Context, token string) (a answer) {
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {loadClient}, "refresh_token": {token}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return answer{err: err}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := l.client.Do(r)
	if err != nil {
		l.tally.transport.Add(1)
		return answer{err: errOutcomeUnknown}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxForm))
	if res.StatusCode >= 500 {
		l.tally.server(res.StatusCode)
		return answer{err: errOutcomeUnknown}
	}
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if err != nil { // cut off
		l.tally.transport.Add(1)
		return answer{err: errOutcomeUnknown}
	}
	if res.StatusCode != http.StatusOK {
		a.refused = fmt.Sprintf("%d %s", res.StatusCode, a.Error)
	}
	return a
}

// apiAttempts bounds how often an API is asked that says 503.
const apiAttempts = 150

// call uses an access token.
func (l *load) call(ctx context.Context, api, access string) {
	for range apiAttempts {
		status, challenge, err := l.identity(ctx, api, access)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && status == http.StatusOK:
			l.tally.calls.Add(1)
			return
		case err == nil && (status == http.StatusUnauthorized || status == http.StatusForbidden):
			l.tally.refused.Add(1)
			challenge, _, _ = strings.Cut(challenge, ", resource_metadata") // that is the API's address
			l.tally.say("an API refused a good access token: %d %s", status, challenge)
			return
		}
		l.tally.api503.Add(1)
		time.Sleep(100 * time.Millisecond)
	}
	l.tally.unanswered.Add(1)
}

func (l *load) identity(ctx context.Context, api, access string) (status int, challenge string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/identity", nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+access)
	res, err := l.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxForm))
	return res.StatusCode, res.Header.Get("WWW-Authenticate"), errors.Join(err, res.Body.Close())
}
