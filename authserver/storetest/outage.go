package storetest

import (
	"context"
	"net/http"
	"testing"

	"github.com/bearergate/bearergate/authserver"
)

// Network is the network between a store and its data. A [Proxy] is one.
type Network interface {
	// Cut closes all connections and accepts no new ones, or with false accepts new ones again.
	Cut(cut bool)
	// DropAnswers forwards requests of the store, but closes the connection instead of delivering the answer. With
	// false it delivers answers again.
	DropAnswers(drop bool)
}

// RunOutage checks an authorization server during outages of its store. While the store cannot be reached, the token
// endpoint answers 503 with Retry-After and spends no token. Afterwards the same refresh token works, without a
// restart. When the store takes a step and its answer is lost, the client's retry gets the new token.
//
// through is a store behind the network, which works at first. direct reaches the same data all the time. The data may
// hold other grants. When RunOutage returns, the network works again.
func RunOutage(t *testing.T, network Network, through, direct authserver.Store) {
	t.Run("an outage spends no token", func(t *testing.T) { duringOutage(t, network, through, direct) })
	t.Run("a retry heals a step whose answer the network lost",
		func(t *testing.T) { lostByNetwork(t, network, through, direct) })
}

func duringOutage(t *testing.T, network Network, through, direct authserver.Store) {
	srv, err := newServer(through)
	if err != nil {
		t.Fatal(err)
	}
	const user = "user of an outage"
	token := issueRefreshToken(t, srv, user)
	t.Cleanup(func() { network.Cut(false) })
	for round := range uint32(3) {
		if err := srv.Ready(t.Context()); err != nil {
			t.Fatalf("Ready: %v", err)
		}
		before := onlyGrant(t, direct, user)
		if before.Generation != round+1 {
			t.Fatalf("generation %d, want %d", before.Generation, round+1)
		}
		network.Cut(true)
		for range 3 {
			wantUnavailable(t, "during an outage", refresh(srv, token))
		}
		if srv.Ready(t.Context()) == nil {
			t.Error("Ready returned no error during an outage")
		}
		if _, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: client, Subject: user}); err == nil {
			t.Error("IssueTokens returned no error during an outage")
		}
		if n, err := srv.Revoke(t.Context(), authserver.Selector{Subject: user}, "user"); n != 0 || err == nil {
			t.Errorf("Revoke during an outage: %d, %v, want an error", n, err)
		}
		wantGrant(t, onlyGrant(t, direct, user), before)
		network.Cut(false)
		token = wantNewToken(t, "after an outage", refresh(srv, token), token)
	}
}

func lostByNetwork(t *testing.T, network Network, through, direct authserver.Store) {
	losing := &lossyNetworkStore{Store: through, network: network}
	srv, err := newServer(through, func(cfg *authserver.Config) { cfg.Store = losing })
	if err != nil {
		t.Fatal(err)
	}
	const user = "user of a lossy network"
	token := issueRefreshToken(t, srv, user)
	const rounds = 5
	taken := 0
	for range rounds {
		token = wantNewToken(t, "before", refresh(srv, token), token) // so that a connection has prepared the statement
		before := onlyGrant(t, direct, user)
		losing.drop = true
		wantUnavailable(t, "unknown outcome", refresh(srv, token))
		losing.drop = false
		replays := 0
		if after := onlyGrant(t, direct, user); after.Generation == before.Generation {
			wantGrant(t, after, before)
		} else {
			taken++
			replays++
		}
		token = wantNewToken(t, "the retry", refresh(srv, token), token)
		if g := onlyGrant(t, direct, user); g.Generation != before.Generation+1 || g.Replays != replays {
			t.Fatalf("generation %d with %d replays, want %d with %d", g.Generation, g.Replays, before.Generation+1, replays)
		}
	}
	if taken == 0 {
		t.Fatalf("none of %d steps took effect: DropAnswers must drop the answer, not the request", rounds)
	}
}

// lossyNetworkStore drops the network's answers to Advance, and no others.
type lossyNetworkStore struct {
	authserver.Store
	network Network
	drop    bool
}

func (l *lossyNetworkStore) Advance(ctx context.Context, step authserver.Step) error {
	if l.drop {
		l.network.DropAnswers(true)
		defer l.network.DropAnswers(false)
	}
	return l.Store.Advance(ctx, step)
}

func wantUnavailable(t *testing.T, when string, a answer) {
	t.Helper()
	if a.Status != http.StatusServiceUnavailable || a.Error != "temporarily_unavailable" || a.RetryAfter == "" {
		t.Errorf("%s: %d %q, Retry-After %q, want 503 temporarily_unavailable with Retry-After", when, a.Status, a.Error,
			a.RetryAfter)
	}
}

// wantNewToken returns the refresh token of an answer, which must differ from the presented one.
func wantNewToken(t *testing.T, when string, a answer, token string) string {
	t.Helper()
	if a.Status != http.StatusOK || a.RefreshToken == "" || a.RefreshToken == token {
		t.Fatalf("%s: %d %q, new token %v, want 200 and a new one", when, a.Status, a.Error,
			a.RefreshToken != "" && a.RefreshToken != token)
	}
	return a.RefreshToken
}
