package storetest

import (
	"context"
	"net/http"
	"testing"

	"github.com/bearergate/bearergate/authserver"
)

// Network is what lies between a store and its data. A [Line] is one.
type Network interface {
	// Cut breaks all connections and lets no new ones through, or lets new ones through again.
	Cut(cut bool)
	// LoseAnswers lets through what the store says and breaks the connection instead of bringing the answer, or lets answers through again.
	LoseAnswers(lose bool)
}

// RunOutage checks what an authorization server does when its store is away, several times: the token endpoint says 503 with Retry-After,
// nothing is burned, and when the store is back the same refresh token works, without a restart. And when the answer to a step is lost that
// the store has taken: the client's retry gets the successor.
//
// through is a store on the other side of the network, whole at first; direct reaches the same data all the time. The data may hold other
// things. The network is whole again when RunOutage returns.
func RunOutage(t *testing.T, network Network, through, direct authserver.Store) {
	t.Run("while the store is away nothing is burned", func(t *testing.T) { away(t, network, through, direct) })
	t.Run("a step whose answer the network loses is healed by the retry", func(t *testing.T) { lostOnTheWay(t, network, through, direct) })
}

func away(t *testing.T, network Network, through, direct authserver.Store) {
	srv, err := serverOver(through)
	if err != nil {
		t.Fatal(err)
	}
	const user = "user of an outage"
	token := signIn(t, srv, user)
	t.Cleanup(func() { network.Cut(false) })
	for round := range uint32(3) {
		if err := srv.Ready(t.Context()); err != nil {
			t.Fatalf("Ready: %v", err)
		}
		before := session(t, direct, user)
		if before.Generation != round+1 {
			t.Fatalf("generation %d, want %d", before.Generation, round+1)
		}
		network.Cut(true)
		for range 3 {
			unavailable(t, "while the store is away", submit(srv, token))
		}
		if srv.Ready(t.Context()) == nil {
			t.Error("Ready found nothing wrong while the store was away")
		}
		if _, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: client, Subject: user}); err == nil {
			t.Error("IssueTokens returned no error while the store was away")
		}
		if n, err := srv.Revoke(t.Context(), authserver.Selector{Subject: user}, "user"); n != 0 || err == nil {
			t.Errorf("Revoke while the store was away: %d, %v", n, err)
		}
		same(t, session(t, direct, user), before)
		network.Cut(false)
		token = successor(t, "when the store is back", submit(srv, token), token)
	}
}

func lostOnTheWay(t *testing.T, network Network, through, direct authserver.Store) {
	losing := &losingStore{Store: through, network: network}
	srv, err := serverOver(through, func(cfg *authserver.Config) { cfg.Store = losing })
	if err != nil {
		t.Fatal(err)
	}
	const user = "user of a lossy network"
	token := signIn(t, srv, user)
	const rounds = 5
	taken := 0
	for range rounds {
		token = successor(t, "before", submit(srv, token), token) // so that there is a connection which knows the statement
		before := session(t, direct, user)
		losing.lose = true
		unavailable(t, "unknown outcome", submit(srv, token))
		losing.lose = false
		replays := 0
		if after := session(t, direct, user); after.Generation == before.Generation {
			same(t, after, before)
		} else {
			taken++
			replays++
		}
		token = successor(t, "the retry", submit(srv, token), token)
		if g := session(t, direct, user); g.Generation != before.Generation+1 || g.Replays != replays {
			t.Fatalf("generation %d with %d replays, want %d with %d", g.Generation, g.Replays, before.Generation+1, replays)
		}
	}
	if taken == 0 {
		t.Fatalf("none of %d steps was taken: the network has to lose the answer, not the question", rounds)
	}
}

// losingStore has the network lose the answer to a step, and none else.
type losingStore struct {
	authserver.Store
	network Network
	lose    bool
}

func (l *losingStore) Advance(ctx context.Context, step authserver.Step) error {
	if l.lose {
		l.network.LoseAnswers(true)
		defer l.network.LoseAnswers(false)
	}
	return l.Store.Advance(ctx, step)
}

func unavailable(t *testing.T, when string, a answer) {
	t.Helper()
	if a.Status != http.StatusServiceUnavailable || a.Error != "temporarily_unavailable" || a.RetryAfter == "" {
		t.Errorf("%s: %d %q, Retry-After %q, want 503 temporarily_unavailable and when to try again", when, a.Status, a.Error, a.RetryAfter)
	}
}

// successor is the refresh token of an answer that has to bring a new one.
func successor(t *testing.T, when string, a answer, token string) string {
	t.Helper()
	if a.Status != http.StatusOK || a.RefreshToken == "" || a.RefreshToken == token {
		t.Fatalf("%s: %d %q, new token %v, want 200 and a new one", when, a.Status, a.Error, a.RefreshToken != "" && a.RefreshToken != token)
	}
	return a.RefreshToken
}
