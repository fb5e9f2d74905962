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

// revoke revokes a client's grant, as an application does at logout. It then measures how long the APIs accept the
// access token. Since the client was told that the grant is revoked, the refresh token must not work any more either.
func (l *load) revoke(ctx context.Context, c *client, access string) {
	c.ended = "revoked"
	for !l.postRevoke(ctx, c.token) {
		if ctx.Err() != nil {
			l.results.noAnswer.Add(1)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	revokedAt := time.Now()
	l.results.revoked.Add(1)
	var wg sync.WaitGroup
	for _, api := range l.apis {
		wg.Go(func() { l.untilRejected(ctx, c, api, access, revokedAt) })
	}
	wg.Wait()
}

// untilRejected calls an API until it rejects the access token.
func (l *load) untilRejected(ctx context.Context, c *client, api, access string, revokedAt time.Time) {
	for ctx.Err() == nil {
		asked := time.Now()
		status, _, err := l.identity(ctx, api, access)
		switch {
		case err == nil && status == http.StatusUnauthorized:
			l.results.rejectedAfter(asked.Sub(revokedAt))
			return
		case err == nil && status == http.StatusOK && asked.Sub(revokedAt) > listMaxAge+time.Second:
			if l.isRevocationLost(ctx, c) {
				return
			}
			l.results.acceptedAfterRevocation.Add(1)
			l.results.note("an API accepts a token of a revoked grant after %v", listMaxAge)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// isRevocationLost reports whether the store has lost the revocation, and counts that once.
func (l *load) isRevocationLost(ctx context.Context, c *client) bool {
	if l.isActive == nil || !l.isActive(ctx, c.grant) {
		return false
	}
	c.revocationLost.Do(func() { l.results.lostRevocations.Add(1) })
	return true
}

// checkRevoked checks at the end that a revoked grant is still revoked.
func (l *load) checkRevoked(ctx context.Context, c *client) {
	switch a := l.present(ctx, c.token); {
	case a.err != nil:
		l.results.noAnswer.Add(1)
	case a.rejected == "" && !l.isRevocationLost(ctx, c):
		l.results.acceptedAfterRevocation.Add(1)
		l.results.note("client %d: its refresh token works although its grant was revoked", c.number)
	}
}

// postRevoke sends one request to the revocation endpoint, and reports whether it succeeded.
func (l *load) postRevoke(ctx context.Context, token string) bool {
	form := url.Values{"client_id": {loadClient}, "token": {token}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.issuer+"/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := l.httpClient.Do(r)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	if res.StatusCode < 500 && res.StatusCode != http.StatusOK {
		l.results.note("the revocation endpoint answered %s", fmt.Sprint(res.StatusCode))
	}
	return res.StatusCode == http.StatusOK
}
