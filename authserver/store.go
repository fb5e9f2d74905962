package authserver

import (
	"context"
	"errors"
	"time"
)

// Errors that a [Store], a [Users] and the hooks return, bare or wrapped. Any other error of theirs means that the outcome is
// unknown, and is answered with 503 and Retry-After.
var (
	// ErrNotFound says that there is no such grant, client or user.
	ErrNotFound = errors.New("authserver: not found")
	// ErrConflict says that the row no longer is as the step expected it, and that nothing was changed.
	ErrConflict = errors.New("authserver: conflict")
	// ErrAccessDenied says that a user may not go on: wrong user name or password, account disabled.
	ErrAccessDenied = errors.New("authserver: access denied")
)

// Store keeps grants. Every method is atomic and durable by contract: when it returns nil its effect has happened, is seen
// by every later call on any connection to the same data, and has happened as a whole; when it returns [ErrConflict] or
// [ErrNotFound] nothing has happened. All methods may be called concurrently. Time is always an argument, never the
// store's own clock, and is in UTC and whole milliseconds. With a context that has ended already Create, Advance, Revoke and Once
// fail and change nothing.
//
// Strings are valid UTF-8, and may have every other character than U+0000; a nonce, which a client chooses, has that too. Ids, subjects,
// client ids and session ids have up to 1024 bytes, keys for Once any number. What goes beyond may be refused with an error.
//
// The executable form of this contract is package storetest.
type Store interface {
	// Create adds a grant. ErrConflict: the id is taken.
	Create(ctx context.Context, g Grant) error

	// Grant returns the row as it is now, revoked or expired rows too until they are swept. ErrNotFound: there is none.
	// The caller owns what it gets.
	Grant(ctx context.Context, id string) (Grant, error)

	// Advance is the one step that spends a code or a refresh token. It changes the row if, and only if, the row is not
	// revoked, has not expired at step.Now and its Generation is step.From; otherwise it returns ErrConflict (or
	// ErrNotFound). See [Step] for what it changes.
	Advance(ctx context.Context, step Step) error

	// Grants returns up to limit grants that match, revoked and expired ones left out (expiry judged at now), newest first
	// by CreatedAt. limit 0: all. An empty selector is an error, not everything.
	Grants(ctx context.Context, sel Selector, now time.Time, limit int) ([]Grant, error)

	// Revoke marks every matching grant that is not revoked yet and returns how many those were. An empty selector is an
	// error, not everything. A reason of more than [ReasonLength] bytes is one too, and nothing is revoked.
	// Of several grants each is revoked atomically: after an error some may be, the number that it returns and perhaps more, and
	// the same call again does the rest.
	Revoke(ctx context.Context, sel Selector, reason string, now time.Time) (int, error)

	// Revoked lists the revocations that APIs need to know at now: of grants that are revoked and of whose access tokens one may still
	// be accepted, that is, whose AccessExpiresAt is later. They are ordered by RevokedAt and then by ID, byte by byte, and begin
	// after the position (since, after); with after "" those at since are in. It returns up to limit; 0: all.
	//
	// A Revoke has the time that it was given when it began, and is seen here when it is done. So one of another process may show up
	// behind a position that a reader has passed: whoever reads on begins by so much earlier.
	Revoked(ctx context.Context, since time.Time, after string, now time.Time, limit int) ([]Revocation, error)

	// Once remembers key until the given time. ErrConflict: it is remembered already. It keeps client assertions from
	// being used twice.
	Once(ctx context.Context, key string, now, until time.Time) error

	// Sweep deletes up to limit rows and keys that nothing can need any more (see [Grant.DisposableAt]) and returns how many.
	// It must not hold up other calls for longer than one of them takes.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)
}

// Step says what [Store.Advance] does.
type Step struct {
	// ID names the row, From the generation that it must have.
	ID   string
	From uint32
	// To is the row's generation afterwards. When it differs from From, Now is appended to History (of which the newest
	// [HistoryLength] are kept) and Replays becomes 0. When it is not From+1 either, History becomes Now alone.
	To  uint32
	Now time.Time
	// IdleExpiresAt is set unless it is zero.
	IdleExpiresAt time.Time
	// AccessExpiresAt is set if it is later than the row's. It is the exp of the access token that is issued, and five minutes for
	// APIs whose clocks differ.
	AccessExpiresAt time.Time
	// Replay adds one to Replays.
	Replay bool
}

// Revocation is an entry of [Store.Revoked]: which grant was revoked, when, and until when one of its access tokens may be accepted
// by an API that does not know of it.
type Revocation struct {
	ID              string
	At              time.Time
	AccessExpiresAt time.Time
}

// Selector picks grants: all fields that are not empty must match.
type Selector struct {
	ID        string
	Subject   string
	ClientID  string
	SessionID string
	// Except leaves one grant out. A selector with nothing but it is empty.
	Except string
}

// IsZero tells whether the selector names nothing, so that it would match everything.
func (s Selector) IsZero() bool {
	return s.ID == "" && s.Subject == "" && s.ClientID == "" && s.SessionID == ""
}

// Match tells whether g is one of those that the selector picks.
func (s Selector) Match(g *Grant) bool {
	return (s.ID == "" || s.ID == g.ID) &&
		(s.Subject == "" || s.Subject == g.Subject) &&
		(s.ClientID == "" || s.ClientID == g.ClientID) &&
		(s.SessionID == "" || s.SessionID == g.SessionID) &&
		(s.Except == "" || s.Except != g.ID)
}
