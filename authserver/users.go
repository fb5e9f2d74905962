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

// User is a person who can sign in.
type User struct {
	// Subject is required: the stable identifier that becomes the claim sub.
	Subject string `json:"sub"`
	// Claims are those of OpenID Connect Core, Section 5.1: name, email, phone_number, address and so on. The scopes
	// profile, email, phone and address decide which of them a client gets.
	Claims map[string]any `json:"claims,omitempty"`
	// SignInAgainAfter ends every login at a browser that is older. Set it when a credential changes.
	SignInAgainAfter time.Time `json:"-"`

	// Only [UserList] uses Username and PasswordHash, which is what [HashPassword] returns.
	Username     string `json:"username,omitempty"`
	PasswordHash string `json:"password_hash,omitempty"`
}

// Users finds and authenticates users. Implementations must be safe for concurrent use.
type Users interface {
	// Authenticate returns the user with this name and password. ErrAccessDenied: there is no such user, or the
	// password is wrong. An implementation takes the same time for both.
	Authenticate(ctx context.Context, username, password string) (*User, error)
	// User returns the current user. It is called at every code exchange and every refresh, so that tokens have the
	// latest claims. ErrNotFound or ErrAccessDenied: no more tokens are issued.
	User(ctx context.Context, subject string) (*User, error)
}

const maxPasswordChecks = 4

// UserList is a [Users] in memory, for demos, tests and small installations.
type UserList struct {
	mu        sync.RWMutex
	byName    map[string]*User
	bySubject map[string]*User
	decoy     string        // a hash that passwords of unknown names are checked against
	slots     chan struct{} // bounds how many passwords are checked at once: each check takes 19 MiB
}

// NewUserList returns a list of the given users. Each needs a Subject and a Username, both unique, and a PasswordHash.
// The hashes should be of one kind and cost: a check for an unknown name takes as long as for the first user.
func NewUserList(users ...User) (*UserList, error) {
	l := &UserList{byName: map[string]*User{}, bySubject: map[string]*User{},
		slots: make(chan struct{}, maxPasswordChecks)}
	if len(users) > 0 {
		l.decoy = users[0].PasswordHash // Authenticate refuses an unknown name even if the password matches
	} else {
		l.decoy = HashPassword(rand.Text())
	}
	var problems []error
	for _, u := range users {
		if l.bySubject[u.Subject] != nil {
			problems = append(problems, fmt.Errorf("authserver: user %q: there are two users with this subject", u.Subject))
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
		return fmt.Errorf("authserver: user %q: password_hash is neither argon2id nor bcrypt, use HashPassword", u.Subject)
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

// Remove deletes a user. The user's grants can't be refreshed any more.
func (l *UserList) Remove(subject string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u := l.bySubject[subject]; u != nil {
		delete(l.byName, u.Username)
		delete(l.bySubject, subject)
	}
}

// Authenticate checks a password. An unknown name takes as long as a wrong password. Up to four passwords are checked
// at a time; other calls wait, until ctx is done. Errors: [ErrAccessDenied], or ctx's error.
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
