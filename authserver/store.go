package authserver

import (
	"context"
	"errors"
	"time"
)

// Errors that a [Store], a [Users] and hooks return, bare or wrapped. With any other error the outcome is unknown, and
// the server answers 503 with Retry-After.
var (
	// ErrNotFound is returned when there is no such grant, client or user.
	ErrNotFound = errors.New("authserver: not found")
	// ErrConflict is returned when a grant is not as the step expected it. Nothing was changed.
	ErrConflict = errors.New("authserver: conflict")
	// ErrAccessDenied is returned when a user may not continue: wrong user name or password, or a disabled account.
	ErrAccessDenied = errors.New("authserver: access denied")
)

// Store stores grants. [NewMemoryStore] and the packages boltstore, pgstore and redisstore provide stores. If you write
// your own, check it with package storetest: it is this contract in executable form.
//
// Every method is atomic and durable. When a method returns nil, its effect is complete, and every later call on any
// connection to the same data sees it. When it returns [ErrConflict] or [ErrNotFound], it has changed nothing. After
// any other error the outcome may be unknown. Methods may be called concurrently.
//
// Time is always an argument, in UTC and whole milliseconds; a store never uses its own clock. When the context has
// already ended, Create, Advance, Revoke and Once fail and change nothing.
//
// Strings are valid UTF-8 with any character except U+0000. A nonce, which the client chooses, may contain that as
// well. IDs, subjects, client IDs and session IDs have up to 1024 bytes. A store may reject longer ones with an error.
// Keys of Once are any bytes, of any length.
type Store interface {
	// Create adds a grant. It returns ErrConflict if the ID is taken.
	Create(ctx context.Context, g Grant) error

	// Grant returns a grant as it is now, also one that is revoked or expired, until it is swept. It returns
	// ErrNotFound if there is none. The result shares no memory with the store.
	Grant(ctx context.Context, id string) (Grant, error)

	// Advance is the one step that spends a code or a refresh token. It changes the grant only if that is not revoked,
	// has not expired at step.Now, and has the generation step.From. Otherwise it returns ErrConflict, or ErrNotFound
	// if there is no such grant. [Step] says what changes.
	Advance(ctx context.Context, step Step) error

	// Grants returns up to limit matching grants that are neither revoked nor expired at now, newest first by
	// CreatedAt. A limit of 0 means all. An empty selector is an error: it does not mean everything.
	Grants(ctx context.Context, sel Selector, now time.Time, limit int) ([]Grant, error)

	// Revoke revokes every matching grant that is not revoked yet, also expired ones, and returns how many it revoked.
	// An empty selector is an error, and so is a reason of more than [ReasonLength] bytes; nothing is revoked then.
	//
	// Each grant is revoked atomically, but not all of them together. After another error some grants may be revoked:
	// at least as many as it returns. The same call again revokes the rest.
	Revoke(ctx context.Context, sel Selector, reason string, now time.Time) (int, error)

	// Revoked lists the revocations that APIs need at now: those of grants whose AccessExpiresAt is later, so that one
	// of their access tokens may still be valid. They are ordered by RevokedAt, then by ID in byte order, and begin
	// after the position (since, after). With after "", entries at since are included. Revoked returns up to limit
	// entries; 0 means all.
	//
	// A revocation has the time at which Revoke was called, but is visible only when Revoke returns. So an entry of
	// another process can appear before a position that a reader has passed. A reader that continues must begin earlier
	// by that delay.
	Revoked(ctx context.Context, since time.Time, after string, now time.Time, limit int) ([]Revocation, error)

	// Once stores key until the given time. It returns ErrConflict if the key is stored already and its time is later
	// than now. It prevents client assertions from being used twice.
	Once(ctx context.Context, key string, now, until time.Time) error

	// Sweep deletes up to limit grants and keys of Once that nothing can need any more (see [Grant.DisposableAt]), and
	// returns how many. It must not delay other calls for longer than one of them takes.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)
}

// Step is what [Store.Advance] changes.
type Step struct {
	// ID is the grant, From the generation that it must have.
	ID   string
	From uint32
	// To is the generation afterwards. If it differs from From, Now is appended to History, of which the newest
	// [HistoryLength] entries are kept, and Replays becomes 0. If it is not From+1 either, History becomes Now alone.
	To  uint32
	Now time.Time
	// IdleExpiresAt replaces that of the grant, unless it is zero.
	IdleExpiresAt time.Time
	// AccessExpiresAt replaces that of the grant if it is later. It is the exp of the issued access token plus five
	// minutes, for APIs whose clocks differ.
	AccessExpiresAt time.Time
	// Replay adds one to Replays.
	Replay bool
}

// Revocation is an entry of [Store.Revoked].
type Revocation struct {
	ID string    // the grant
	At time.Time // when it was revoked
	// AccessExpiresAt is until when an API that does not know of the revocation may accept an access token of the
	// grant.
	AccessExpiresAt time.Time
}

// Selector selects grants: every field that is not empty must match.
type Selector struct {
	ID        string
	Subject   string
	ClientID  string
	SessionID string
	// Except excludes one grant by its ID. A selector with only Except is empty.
	Except string
}

// IsZero reports whether the selector is empty, so that it would match every grant.
func (s Selector) IsZero() bool {
	return s.ID == "" && s.Subject == "" && s.ClientID == "" && s.SessionID == ""
}

// Match reports whether the selector matches g.
func (s Selector) Match(g *Grant) bool {
	return (s.ID == "" || s.ID == g.ID) &&
		(s.Subject == "" || s.Subject == g.Subject) &&
		(s.ClientID == "" || s.ClientID == g.ClientID) &&
		(s.SessionID == "" || s.SessionID == g.SessionID) &&
		(s.Except == "" || s.Except != g.ID)
}
