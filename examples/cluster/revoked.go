package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// revoke has a session end as a logout does, and then finds out how long the APIs go on to take its access token. The client was told
// that the session is over, so from then on the refresh token may not work either.
func (l *load) revoke(ctx context.Context, s *session, access string) {
	s.ended = "revoked"
	for !l.postRevoke(ctx, s.token) {
		if ctx.Err() != nil {
			l.tally.stuck.Add(1)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	told := time.Now()
	l.tally.revoked.Add(1)
	var wg sync.WaitGroup
	for _, api := range l.apis {
		wg.Go(func() { l.untilRefused(ctx, s, api, access, told) })
	}
	wg.Wait()
}

// untilRefused calls an API until it refuses.
func (l *load) untilRefused(ctx context.Context, s *session, api, access string, told time.Time) {
	for ctx.Err() == nil {
		asked := time.Now()
		status, _, err := l.identity(ctx, api, access)
		switch {
		case err == nil && status == http.StatusUnauthorized:
			l.tally.refusedAfter(asked.Sub(told))
			return
		case err == nil && status == http.StatusOK && asked.Sub(told) > feedMaxAge+time.Second:
			if l.isUndone(ctx, s) {
				return
			}
			l.tally.late.Add(1)
			l.tally.say("an API takes tokens of a revoked session after %v", feedMaxAge)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// isUndone tells whether the store no longer knows of the revocation, and counts it once.
func (l *load) isUndone(ctx context.Context, s *session) bool {
	if l.alive == nil || !l.alive(ctx, s.grant) {
		return false
	}
	s.undone.Do(func() { l.tally.undone.Add(1) })
	return true
}

// checkRevoked makes sure, at the end, that a revoked session has stayed one.
func (l *load) checkRevoked(ctx context.Context, s *session) {
	switch a := l.insist(ctx, s.token); {
	case a.err != nil:
		l.tally.stuck.Add(1)
	case a.refused == "" && !l.isUndone(ctx, s):
		l.tally.late.Add(1)
		l.tally.say("session %d was revoked and goes on", s.number)
	}
}

// postRevoke is one request to the revocation endpoint.
func (l *load) postRevoke(ctx context.Context, token string) bool {
	form := url.Values{"client_id": {loadClient}, "token": {token}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.issuer+"/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := l.client.Do(r)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	if res.StatusCode < 500 && res.StatusCode != http.StatusOK {
		l.tally.say("the revocation endpoint answers %s", fmt.Sprint(res.StatusCode))
	}
	return res.StatusCode == http.StatusOK
}
