package jwks

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// settleAttempts bounds how often the loser of a race for the store reads what the winner wrote and tries again.
const settleAttempts = 10

// current returns a state that is right for now. As a rule that is one load and one comparison. When the store has to be
// asked, one caller does it; the others go on with what they have, if they have anything.
func (r *Rotator) current(ctx context.Context) (*rotatorView, error) {
	v := r.view.Load()
	if r.cfg.Signer != nil || v != nil && r.cfg.Now().Before(v.recheck) {
		return v, nil
	}
	if v != nil {
		select {
		case r.refresh <- struct{}{}:
		default:
			return v, nil
		}
	} else if err := r.lock(ctx); err != nil {
		return nil, err
	}
	defer r.unlock()
	if v := r.view.Load(); v != nil && r.cfg.Now().Before(v.recheck) {
		return v, nil
	}
	fresh, err := r.settle(ctx, r.step)
	switch {
	case err == nil:
		return fresh, nil
	case ctx.Err() != nil && v != nil:
		return v, nil // it is this caller who has gone, not the store: the next one may look
	case r.view.Load() != nil:
		// What is here still signs and verifies; the store may be back at the next look.
		r.cfg.Logger.WarnContext(ctx, "jwks: the key store is not available", "error", err)
		again := *r.view.Load()
		again.recheck = r.cfg.Now().Add(r.reload())
		r.view.Store(&again)
		return &again, nil
	default:
		return nil, unavailable(err)
	}
}

func (r *Rotator) lock(ctx context.Context) error {
	select {
	case r.refresh <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("jwks: waiting for the keys: %w", context.Cause(ctx))
	}
}

func (r *Rotator) unlock() { <-r.refresh }

// settle reads the stored state, changes it if change wants to, and takes the result over. The lock is held.
func (r *Rotator) settle(ctx context.Context, change func(*rotation, time.Time) (*rotation, error)) (*rotatorView, error) {
	for range settleAttempts {
		s, version, err := loadRotation(ctx, r.cfg.Store)
		if err != nil {
			return nil, err
		}
		now := r.cfg.Now()
		v := r.view.Load()
		lost := len(s.keys) == 0 && v != nil
		if lost {
			// A state that was there does not become none. Starting anew would refuse every token that lives.
			r.cfg.Logger.WarnContext(ctx, "jwks: the stored keys are gone and are put back")
			s = v.rotation
		}
		next, err := change(s, now)
		if err != nil {
			return nil, err
		}
		if next == s && !lost {
			return r.adopt(s, version, now)
		}
		state, err := next.marshal()
		if err != nil {
			return nil, err
		}
		err = r.cfg.Store.SaveKeys(ctx, state, version)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			// A node that may only read goes by what is there.
			if len(s.keys) > 0 && !lost {
				_, err2 := r.adopt(s, version, now)
				err = errors.Join(err, err2)
			}
			return nil, err
		}
		// What was saved is read back at once: the version is the store's to say.
	}
	return nil, fmt.Errorf("jwks: the key store is too busy: %w", ErrConflict)
}

// adopt makes a stored state the current one. Keys that were there before stay the same; the others are dropped.
func (r *Rotator) adopt(s *rotation, version string, now time.Time) (*rotatorView, error) {
	old := r.view.Load()
	recheck := now.Add(r.reload())
	if due := r.due(s, now); due.Before(recheck) {
		recheck = due
	}
	if old != nil && old.version == version {
		same := *old
		same.recheck = recheck
		r.view.Store(&same)
		return &same, nil
	}
	v, err := newRotatorView(s, version, old)
	if err != nil {
		return nil, err
	}
	v.recheck = recheck
	r.view.Store(v)
	if old != nil {
		r.dropMissing(old, v)
	}
	if k := s.active(now); k != nil {
		r.cfg.Logger.Info("jwks: signing keys", "active", k.public.id, "keys", len(s.keys), "until", r.due(s, now))
	}
	return v, nil
}

func (r *Rotator) dropMissing(old, now *rotatorView) {
	there := map[*Key]bool{}
	for _, k := range now.keys {
		there[k.public] = true
	}
	for _, k := range old.keys {
		if !there[k.public] {
			k.public.drop()
		}
	}
}

func newRotatorView(s *rotation, version string, old *rotatorView) (*rotatorView, error) {
	v := &rotatorView{rotation: &rotation{}, version: version}
	var public []*Key
	for _, k := range s.keys {
		own := *k
		if old != nil {
			for _, o := range old.keys {
				if o.public.same(k.public) {
					own.public = o.public
				}
			}
		}
		var err error
		if own.accessHeader, err = formatHeader(own.public, typAccess); err == nil {
			own.jwtHeader, err = formatHeader(own.public, typJWT)
		}
		if err != nil {
			return nil, fmt.Errorf("jwks: key %q: %w", own.public.id, err)
		}
		v.keys, public = append(v.keys, &own), append(public, own.public)
	}
	document, err := formatDocument(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(document)
	v.snapshot, v.document, v.etag = newSnapshot(public), document, `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`
	return v, nil
}
