package jwks

// ParseDiscovery is for the fuzz target.
var ParseDiscovery = parseDiscovery

// SelectUncached asks keyfunc for the key of a set, as is done once for each kid and alg when a snapshot is made: for the
// benchmark.
func SelectUncached(s *Set) func(kid, alg string) *Key {
	l := newLayer()
	for _, k := range s.snapshot.keys {
		e, err := entryFor(k)
		if err != nil {
			panic(err)
		}
		l.entries[k.id] = e
	}
	return l.selectKey
}

// JoinECDSA is for the fuzz target.
var JoinECDSA = joinECDSA
