package authservertest

import (
	"crypto"
	"errors"
	"io"
	"sync/atomic"
)

// errInjected is what broken parts return.
var errInjected = errors.New("authservertest: injected failure")

// DropAnswers loses the answers to the next n requests that spend a code or a refresh token, after the store has
// committed: the client sees a connection that breaks.
func (s *Server) DropAnswers(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop = n
}

// dropNow tells whether an answer is to be lost.
func (s *Server) dropNow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drop <= 0 {
		return false
	}
	s.drop--
	return true
}

// FailSigning makes the signing key fail from now on, or work again. It can't be used with Keys of the test's own.
func (s *Server) FailSigning(fail bool) {
	if s.signer == nil {
		s.fatal("FailSigning needs the server's own keys")
		return
	}
	s.signer.fail.Store(fail)
}

// FailBeforeCommit makes the next n writes of the store fail with nothing done. 0 ends it.
func (s *Server) FailBeforeCommit(n int) { s.store.set(func(f *faults) { f.before = n }) }

// FailAfterCommit makes the next n writes of the store report a failure although they have been done. 0 ends it.
func (s *Server) FailAfterCommit(n int) { s.store.set(func(f *faults) { f.after = n }) }

// Rollback makes the store lose its last n commits, as a restored backup or a failover may. A sign-in is two commits, a
// refresh is one. It can't be used with a Store of the test's own.
func (s *Server) Rollback(n int) { s.check(s.store.rollback(n)) }

// signer is a key that can be made to fail.
type signer struct {
	crypto.Signer
	fail atomic.Bool
}

func (s *signer) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.fail.Load() {
		return nil, errInjected
	}
	return s.Signer.Sign(r, digest, opts)
}
