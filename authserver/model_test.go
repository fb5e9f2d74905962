package authserver

// The state machine is compared with a model of itself, in all interleavings of a few actions: two processes of one client
// that share a saved token, a thief who copies it once, a client that is not the owner, requests that die before the
// commit, answers that are lost after it, and a clock that moves by less or by more than the grace. It runs the machine
// below HTTP and without signing, so it is inside the package.

import (
	"flag"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const modelGrace = 10 * time.Second

var modelDepth = flag.Int("depth", 9, "how many actions in a row the model test tries")

// model is what the machine should do: a generation, when the older ones were superseded, and whether it is over.
type model struct {
	gen        uint32
	superseded map[uint32]time.Time
	revoked    bool
}

// submit says what presenting generation g must do.
func (m *model) submit(g uint32, now time.Time) (answer uint32, ok bool) {
	switch {
	case m.revoked:
		return 0, false
	case g == m.gen:
		m.superseded[g] = now
		m.gen++
	case m.spent(g, now):
		m.revoked = true
		return 0, false
	}
	return m.gen, true
}

// spent reports whether generation g came too late: after the grace, or more generations behind than a row's history.
func (m *model) spent(g uint32, now time.Time) bool {
	at, superseded := m.superseded[g]
	return superseded && (now.Sub(at) > modelGrace || m.gen-g > HistoryLength)
}

// state is one node of the search.
type state struct {
	now     time.Time
	row     Grant
	model   model
	saved   uint32      // the generation that the client has saved
	begun   [2]*refresh // requests of the two processes that have read the row and not rotated
	stolen  uint32      // the generation that the thief has; 0: none
	thief   bool        // the thief has shown the token
	late    bool        // a benign token came later than the grace
	history string
}

func (s *state) clone() *state {
	c := *s
	c.row = s.row.clone()
	c.model.superseded = map[uint32]time.Time{}
	for g, t := range s.model.superseded {
		c.model.superseded[g] = t
	}
	for i, r := range s.begun {
		if r != nil {
			copied := *r
			copied.grant = r.grant.clone()
			c.begun[i] = &copied
		}
	}
	return &c
}

// key distinguishes states that can go on differently: times count as ages, up to just beyond the grace.
func (s *state) key() string {
	age := func(t time.Time) time.Duration { return min(s.now.Sub(t), modelGrace+time.Second) }
	text := fmt.Sprint(s.row.Generation, s.row.RevokedAt.IsZero(), s.saved, s.stolen, s.thief, s.late, s.model.revoked)
	for g := range s.row.Generation {
		text += fmt.Sprint(" ", age(s.model.superseded[g]))
	}
	for _, r := range s.begun {
		if r == nil {
			text += " -"
		} else {
			text += fmt.Sprint(" ", r.gen, r.grant.Generation)
		}
	}
	return text
}

type explorer struct {
	t            *testing.T
	srv          *Server
	owner, other *Client
	at           *state
	seen         map[string]int // how deep it was searched from there
	steps, ended int
}

// store puts the node's row into a fresh store and takes it out again.
func (e *explorer) with(s *state, f func()) {
	e.at = s
	m := NewMemoryStore()
	row := s.row.clone()
	m.grants[row.ID] = &row
	e.srv.cfg.Store = m
	f()
	s.row = m.grants[row.ID].clone()
}

func (e *explorer) token(s *state, gen uint32) string {
	token, err := e.srv.ring.mint(refreshToken, &s.row, gen)
	require.NoError(e.t, err)
	return token
}

// begin reads the row for a request with the given generation; nil if it is refused.
func (e *explorer) begin(s *state, c *Client, gen uint32) (r *refresh) {
	e.with(s, func() {
		var refusal *oauthError
		if r, refusal = e.srv.newRefresh(e.t.Context(), c, e.token(s, gen)); refusal != nil {
			r = nil
		}
	})
	return r
}

// rotate ends a request and compares with the model. It returns the generation that was answered.
func (e *explorer) rotate(s *state, r *refresh) (uint32, bool) {
	before := s.row.Generation
	want, ok := s.model.submit(r.gen, s.now)
	var got string
	var refusal *oauthError
	e.with(s, func() { got, refusal = r.rotate(e.t.Context(), s.now.Add(time.Minute)) })
	if ok != (refusal == nil) {
		e.t.Fatalf("%s: the model says ok=%v, the machine says %v", s.history, ok, refusal)
	}
	if ok && got != e.token(s, want) {
		e.t.Fatalf("%s: the answer is not the one live successor, generation %d", s.history, want)
	}
	e.compare(s)
	if s.row.Generation != before && s.row.Generation != before+1 {
		e.t.Fatalf("%s: one request moved the generation from %d to %d", s.history, before, s.row.Generation)
	}
	return want, ok
}

func (e *explorer) compare(s *state) {
	if s.row.Generation != s.model.gen || s.row.RevokedAt.IsZero() == s.model.revoked {
		e.t.Fatalf("%s: row %d revoked %v, model %d revoked %v", s.history, s.row.Generation, !s.row.RevokedAt.IsZero(), s.model.gen, s.model.revoked)
	}
	if s.model.revoked && !s.thief && !s.late {
		e.t.Fatalf("%s: a benign schedule inside of the grace ended the grant", s.history)
	}
}

// explore tries every action in every state.
func (e *explorer) explore(s *state, depth int) {
	key := s.key()
	if depth <= e.seen[key] {
		return
	}
	e.seen[key] = depth
	if s.model.revoked {
		e.ended++
	}
	try := func(name string, f func(*state)) {
		next := s.clone()
		next.history += " " + name
		e.steps++
		f(next)
		e.explore(next, depth-1)
	}
	for p, r := range s.begun {
		if r == nil {
			try(fmt.Sprintf("P%d.begin", p), func(s *state) {
				if s.begun[p] = e.begin(s, e.owner, s.saved); s.begun[p] == nil && !s.model.revoked {
					e.t.Fatalf("%s: refused though the grant is alive", s.history)
				}
			})
			continue
		}
		rotate := func(s *state) (uint32, bool) {
			r := s.begun[p]
			s.begun[p] = nil
			s.late = s.late || s.model.spent(r.gen, s.now)
			return e.rotate(s, r)
		}
		try(fmt.Sprintf("P%d.rotate", p), func(s *state) {
			if answer, ok := rotate(s); ok {
				s.saved = answer
			}
		})
		try(fmt.Sprintf("P%d.lost", p), func(s *state) { rotate(s) })
		try(fmt.Sprintf("P%d.died", p), func(s *state) { s.begun[p] = nil })
	}
	if s.stolen == 0 {
		try("steal", func(s *state) { s.stolen = s.saved })
	} else {
		try("thief", func(s *state) {
			outside := s.model.spent(s.stolen, s.now)
			r := e.begin(s, e.owner, s.stolen)
			if r == nil {
				return
			}
			s.thief = true
			answer, ok := e.rotate(s, r)
			if outside && (ok || !s.model.revoked) {
				e.t.Fatalf("%s: a thief outside of the grace was not caught", s.history)
			}
			if ok {
				s.stolen = answer
			}
		})
	}
	try("other client", func(s *state) {
		if e.begin(s, e.other, s.saved) != nil {
			e.t.Fatalf("%s: another client's request got through", s.history)
		}
		e.compare(s)
	})
	try("+4s", func(s *state) { s.now = s.now.Add(4 * time.Second) })
	try("+11s", func(s *state) { s.now = s.now.Add(11 * time.Second) })
}

func TestRefreshMatchesItsModel(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	cfg := NewConfig("https://login.example")
	cfg.RefreshGrace = modelGrace
	e := &explorer{t: t, seen: map[string]int{}}
	e.srv = &Server{cfg: *cfg, log: slog.New(slog.DiscardHandler), ring: newKeyring(cfg.RefreshKeys), now: func() time.Time { return e.at.now }}
	scopes := []string{scopeOffline}
	e.owner = &Client{ID: "owner", GrantTypes: []string{grantTypeRefresh}, Scopes: scopes}
	e.other = &Client{ID: "other", GrantTypes: []string{grantTypeRefresh}, Scopes: scopes}
	s := &state{now: start, saved: 1, model: model{gen: 1, superseded: map[uint32]time.Time{}}}
	s.row = e.srv.newGrant(e.owner, &Login{Subject: "user"}, scopes, nil, start)
	s.row.Generation = 1
	e.explore(s, *modelDepth)
	t.Logf("%d states, %d steps, the grant was over in %d states", len(e.seen), e.steps, e.ended)
	require.Greater(t, len(e.seen), 3_000)
	require.NotZero(t, e.ended)
}
