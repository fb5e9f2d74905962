package revocation

import "sync"

// entry is one revoked grant or token.
type entry struct {
	id  string
	exp int64 // when the last token of it ends, in Unix seconds
}

// entries holds the revoked ids. Any number of goroutines may read it. Only the goroutine in Run changes it, so that
// one reads it without the lock.
type entries struct {
	mu  sync.RWMutex
	exp map[string]int64 // by id
}

func (e *entries) len() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.exp)
}

// contains reports whether id is on the list. An expired entry counts until it is removed: no token with that id is
// valid any more.
func (e *entries) contains(id string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	_, found := e.exp[id]
	return found
}

// add adds the entries of a page that have not expired, while there are fewer than limit, and reports whether all of
// them fit. An entry that is there already keeps the later of both times.
func (e *entries) add(page []entry, now int64, limit int) (all bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.exp == nil {
		e.exp = make(map[string]int64)
	}
	all = true
	for _, entry := range page {
		exp, found := e.exp[entry.id]
		switch {
		case entry.exp <= now || found && exp >= entry.exp:
		case !found && len(e.exp) >= limit:
			all = false
		default:
			e.exp[entry.id] = entry.exp
		}
	}
	return all
}

// removeExpired removes the entries that have expired. It searches without the lock, so that requests do not wait for
// it.
func (e *entries) removeExpired(now int64) {
	var expired []string
	for id, exp := range e.exp {
		if exp <= now {
			expired = append(expired, id)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range expired {
		delete(e.exp, id)
	}
}
