package authserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// User is a person who can sign in, as the server needs to know them.
type User struct {
	// Subject is the stable identifier that becomes the claim sub; required.
	Subject string `json:"sub"`
	// Claims of the user by OpenID Connect Core section 5.1: name, email, phone_number, address, … The scopes profile, email,
	// phone and address decide which of them a client sees.
	Claims map[string]any `json:"claims,omitempty"`
	// SignInAgainAfter ends every browser sign-in that is older; set it when a credential changes.
	SignInAgainAfter time.Time `json:"-"`

	// Username and PasswordHash (from [HashPassword]) are used by [UserList] only.
	Username     string `json:"username,omitempty"`
	PasswordHash string `json:"password_hash,omitempty"`
}

// Users knows the people. Implementations are safe for concurrent use.
type Users interface {
	// Authenticate returns the user whose name and password these are. ErrAccessDenied: there is no such user, or the password
	// is wrong; an implementation takes the same time for both.
	Authenticate(ctx context.Context, username, password string) (*User, error)
	// User returns the user as they are now; it is asked at every code exchange and every refresh, so that tokens carry the
	// latest claims. ErrNotFound or ErrAccessDenied: nothing is issued any more.
	User(ctx context.Context, subject string) (*User, error)
}

const maxPasswordChecks = 4

// UserList is a [Users] in memory, for demos, tests and small installations.
type UserList struct {
	mu        sync.RWMutex
	byName    map[string]*User
	bySubject map[string]*User
	decoy     string        // a hash that unknown names are checked against
	slots     chan struct{} // bounds how many passwords are checked at once: each takes 19 MiB
}

// NewUserList returns a list of the given users. Each needs a Subject, a Username and a PasswordHash, the first two unique. The
// hashes should be of one kind and cost: unknown names take as long as the first user's.
func NewUserList(users ...User) (*UserList, error) {
	l := &UserList{byName: map[string]*User{}, bySubject: map[string]*User{}, slots: make(chan struct{}, maxPasswordChecks)}
	if len(users) > 0 {
		l.decoy = users[0].PasswordHash // as costly as the others; that it belongs to someone does not matter, see Authenticate
	} else {
		l.decoy = HashPassword(rand.Text())
	}
	var problems []error
	for _, u := range users {
		if l.bySubject[u.Subject] != nil {
			problems = append(problems, fmt.Errorf("authserver: user %q: subject is there twice", u.Subject))
			continue
		}
		if err := l.Set(u); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return l, nil
}

// Set adds a user, or replaces the one with the same Subject.
func (l *UserList) Set(u User) error {
	if u.Subject == "" || u.Username == "" {
		return fmt.Errorf("authserver: user %q: subject and username are required", u.Subject+u.Username)
	}
	if !validPasswordHash(u.PasswordHash) {
		return fmt.Errorf("authserver: user %q: password_hash is not one that HashPassword made", u.Subject)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if other := l.byName[u.Username]; other != nil && other.Subject != u.Subject {
		return fmt.Errorf("authserver: user %q: username is taken", u.Subject)
	}
	if old := l.bySubject[u.Subject]; old != nil {
		delete(l.byName, old.Username)
	}
	u.Claims = maps.Clone(u.Claims)
	l.byName[u.Username], l.bySubject[u.Subject] = &u, &u
	return nil
}

// Remove deletes a user; their tokens can't be refreshed any more.
func (l *UserList) Remove(subject string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u := l.bySubject[subject]; u != nil {
		delete(l.byName, u.Username)
		delete(l.bySubject, subject)
	}
}

// Authenticate checks a password. An unknown name costs the same work as a wrong password, and is refused whatever the password.
// A few passwords are checked at a time; the others wait, until ctx is done.
func (l *UserList) Authenticate(ctx context.Context, username, password string) (*User, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.RLock()
	u := l.byName[username]
	l.mu.RUnlock()
	hash := l.decoy
	if u != nil {
		hash = u.PasswordHash
	}
	if !checkPassword(hash, password) || u == nil {
		return nil, ErrAccessDenied
	}
	return u.copy(), nil
}

// User returns the user with that subject, or ErrNotFound.
func (l *UserList) User(_ context.Context, subject string) (*User, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	u := l.bySubject[subject]
	if u == nil {
		return nil, ErrNotFound
	}
	return u.copy(), nil
}

func (u *User) copy() *User {
	c := *u
	c.Claims = maps.Clone(u.Claims)
	return &c
}
