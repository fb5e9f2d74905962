package middleware

import (
	"context"
	"time"
	"unicode/utf8"
	"unsafe"
)

// What the tests of parts need to see.

var (
	Quoted       = quoted
	Sanitise     = sanitise
	IsScopeToken = isScopeToken
	IsB64Token   = isB64Token
	AppendScopes = appendScopes
)

// NumericDate reads a JSON number as a date.
func NumericDate(text string) (time.Time, bool) { return numericDate(text) }

// ScanObject reads text as one strict JSON object and returns its members: strings unescaped, everything else as it is.
func ScanObject(text string) (map[string]string, bool) {
	found := map[string]string{}
	var m members
	if !utf8.ValidString(text) {
		return found, false
	}
	for m.begin(text); m.next(); {
		if !m.add() {
			return found, false
		}
		s, isString := m.value.str()
		if !isString {
			s = m.value.raw
		}
		found[m.name] = s
	}
	return found, m.ended()
}

// Find returns the text of what a path leads to.
func Find(text, path string) (string, bool) {
	v, ok := find(text, path)
	return v.raw, ok
}

// VerifySignature verifies as step 6 does. It reports false too when the key does not fit the algorithm.
func VerifySignature(alg, input string, signature []byte, key any) bool {
	a := algorithmNamed(alg)
	return a != nil && a.fits(key) && a.verify(input, signature, key) == nil
}

// DecodeSegment decodes a segment.
func DecodeSegment(s string) ([]byte, bool) {
	dst := make([]byte, decodedLen(s))
	ok := decode(dst, s)
	return dst, ok
}

// CacheState is what the cache believes to hold, and what it holds.
func (v *Validator) CacheState() (count, size, places int) {
	v.cache.mu.Lock()
	defer v.cache.mu.Unlock()
	if t := v.cache.table.Load(); t != nil {
		for s := range t.sets {
			for i := range ways {
				if t.sets[s].places[i].Load() != nil {
					places++
				}
			}
		}
	}
	return v.cache.count, v.cache.size + v.TableSize(), places
}

// TableSize is what the table of the cache takes, in bytes.
func (v *Validator) TableSize() int { return v.cache.sets * int(unsafe.Sizeof(cacheSet{})) }

// OccupyVerifications takes all turns to verify a signature, until leave is called.
func (v *Validator) OccupyVerifications() (leave func()) {
	for range cap(v.limit.turns) {
		v.limit.turns <- struct{}{}
	}
	return func() {
		for range cap(v.limit.turns) {
			<-v.limit.turns
		}
	}
}

// Verification takes a turn for as long as a verification takes, and returns how long it waited for it.
func (v *Validator) Verification(takes time.Duration, forged bool) (waited time.Duration) {
	asked := time.Now()
	began, _ := v.limit.enter(context.Background())
	time.Sleep(takes)
	v.limit.leave(began, forged)
	return began.Sub(asked)
}

// Forged is how long forged signatures have taken since the last pause.
func (v *Validator) Forged() time.Duration { return time.Duration(v.limit.forged.Load()) }

// ReadClock gives v a reading of the machine's clock, and then sets the clock, as it were: the reading is off by as much.
func (v *Validator) ReadClock(off time.Duration) {
	now := time.Now()
	v.clock.last.Store(&reading{at: now, micro: now.Add(off).UnixMicro()})
}

// Remembers reports whether a token is in the cache.
func (v *Validator) Remembers(raw string) bool { return v.cache.find(raw) != nil }
