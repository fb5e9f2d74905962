package authservertest

import (
	"crypto"
	"errors"
	"io"
	"sync/atomic"
)

// errInjected is the error of an injected failure.
var errInjected = errors.New("authservertest: injected failure")

// DropAnswers loses the answers to the next n requests that use a code or a refresh token, after the store has
// committed. The client sees a connection that breaks.
func (s *Server) DropAnswers(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop = n
}

// dropNow reports whether an answer must be lost.
func (s *Server) dropNow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drop <= 0 {
		return false
	}
	s.drop--
	return true
}

// FailSigning makes the signing key fail from now on, or work again. It needs the server's own Keys.
func (s *Server) FailSigning(fail bool) {
	if s.signer == nil {
		s.fatal("FailSigning needs the server's own keys")
		return
	}
	s.signer.fail.Store(fail)
}

// FailBeforeCommit makes the next n writes of the store fail without an effect. 0 ends it.
func (s *Server) FailBeforeCommit(n int) { s.store.set(func(f *faults) { f.before = n }) }

// FailAfterCommit makes the next n writes of the store succeed and report a failure. 0 ends it.
func (s *Server) FailAfterCommit(n int) { s.store.set(func(f *faults) { f.after = n }) }

// Rollback makes the store lose its last n commits, as a restored backup or a failover may. A sign-in is two commits, a
// refresh is one. It needs the server's own Store.
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
