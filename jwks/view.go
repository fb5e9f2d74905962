package jwks

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// updateAttempts bounds how often the loser of a race for the store reads what the winner wrote and tries again.
const updateAttempts = 10

// rotatorView is a rotation with all that is derived from it. It never changes.
type rotatorView struct {
	*rotation
	version  string
	snapshot *snapshot
	document []byte
	etag     string
	recheck  time.Time // when to read the store again
}

// newRotatorView derives a view. Keys that are in old too stay the very same *Key; removed are the others of old.
func newRotatorView(s *rotation, version string, old *snapshot) (v *rotatorView, removed []*Key, err error) {
	var public []*Key
	for _, k := range s.keys {
		public = append(public, k.public)
	}
	public, _, removed = retain(old, public)
	own := &rotation{}
	for i, k := range s.keys {
		own.keys = append(own.keys, &signingKey{public: public[i], signer: k.signer, activates: k.activates})
	}
	document, err := formatDocument(public)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(document)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	v = &rotatorView{rotation: own, version: version, snapshot: newSnapshot(public), document: document, etag: etag}
	return v, removed, nil
}

// current returns a view that is right for now. As a rule that is one load and one comparison. When the store has to be
// read, one caller reads it. The others go on with the view they have, if there is one.
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
	fresh, err := r.update(ctx, r.rotateOnce)
	switch {
	case err == nil:
		return fresh, nil
	case ctx.Err() != nil && v != nil:
		return v, nil // this caller has gone, not the store: the next caller reads it
	case r.view.Load() != nil:
		// The keys at hand still sign and verify. The store may be back at the next recheck.
		r.cfg.Logger.WarnContext(ctx, "jwks: the key store is not available", "error", err)
		again := *r.view.Load()
		again.recheck = r.cfg.Now().Add(r.recheckInterval())
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

// change returns the state as it should be at a moment, s itself if nothing is to be done.
type change func(s *rotation, now time.Time) (*rotation, error)

// update reads the stored state, changes it, and makes the result the current view. The lock is held.
func (r *Rotator) update(ctx context.Context, change change) (*rotatorView, error) {
	for range updateAttempts {
		s, version, err := readRotation(ctx, r.cfg.Store)
		if err != nil {
			return nil, err
		}
		now := r.cfg.Now()
		v := r.view.Load()
		lost := len(s.keys) == 0 && v != nil
		if lost {
			// Keys that were stored do not vanish by themselves. New keys would reject every token that is out.
			r.cfg.Logger.WarnContext(ctx, "jwks: the stored keys are gone and are put back")
			s = v.rotation
		}
		next, err := change(s, now)
		if err != nil {
			return nil, err
		}
		if next == s && !lost {
			return r.load(s, version, now)
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
			// A node that may only read uses what is stored.
			if len(s.keys) > 0 && !lost {
				_, err2 := r.load(s, version, now)
				err = errors.Join(err, err2)
			}
			return nil, err
		}
		// The state is read back at once, since only the store knows its version.
	}
	return nil, fmt.Errorf("jwks: the key store is too busy: %w", ErrConflict)
}

// load makes a stored state the current view. Keys that were there before stay the same; the others are dropped.
func (r *Rotator) load(s *rotation, version string, now time.Time) (*rotatorView, error) {
	old := r.view.Load()
	recheck := now.Add(r.recheckInterval())
	if next := r.nextChange(s, now); next.Before(recheck) {
		recheck = next
	}
	if old != nil && old.version == version {
		same := *old
		same.recheck = recheck
		r.view.Store(&same)
		return &same, nil
	}
	var before *snapshot
	if old != nil {
		before = old.snapshot
	}
	v, removed, err := newRotatorView(s, version, before)
	if err != nil {
		return nil, err
	}
	v.recheck = recheck
	r.view.Store(v)
	for _, k := range removed {
		k.drop()
	}
	if k := s.active(now); k != nil {
		r.cfg.Logger.Info("jwks: signing keys",
			"active", k.public.id, "keys", len(s.keys), "until", r.nextChange(s, now))
	}
	return v, nil
}

// readRotation reads the store.
func readRotation(ctx context.Context, store KeyStore) (*rotation, string, error) {
	state, version, err := store.LoadKeys(ctx)
	if err != nil {
		return nil, "", err
	}
	s, err := parseRotation(state)
	return s, version, err
}
