package middleware

// members reads text as exactly one JSON object, member by member:
//
//	for m.begin(text); m.next(); {
//		… m.name, m.value
//	}
//	if !m.ended() { … }
//
// It is an iterator and not a function with a callback, so that nothing of what it fills moves to the heap. It does not
// see that a name is there twice: its callers do, with add.
type members struct {
	p     scanner
	name  string // unescaped
	value value
	begun bool
	bad   bool
	names nameSet
}

// begin starts at the object at the beginning of text, which is valid UTF-8.
func (m *members) begin(text string) {
	m.p.s = text
	m.p.space()
	m.bad = m.p.peek() != '{'
	m.p.i++
}

// next reads one more member. It reports false at the end and when there is none to be read.
func (m *members) next() bool {
	if m.bad {
		return false
	}
	p := &m.p
	p.space()
	switch c := p.peek(); {
	case c == '}':
		return false
	case c == ',' && m.begun:
		p.i++
		p.space()
	case m.begun:
		m.bad = true
		return false
	}
	m.begun = true
	name, ok := p.name()
	if !ok {
		m.bad = true
		return false
	}
	val, err := p.value(1)
	if err != nil {
		m.bad = true
		return false
	}
	m.name, m.value = name, val
	return true
}

// add reports false when the name is there already.
func (m *members) add() bool { return m.names.add(m.name) }

// ended reports whether the object was read to its end, and nothing follows it.
func (m *members) ended() bool {
	if m.bad || m.p.peek() != '}' {
		return false
	}
	m.p.i++
	m.p.space()
	return m.p.i == len(m.p.s)
}

// fewNames members of one object are compared one by one; beyond, a map keeps the cost linear.
const fewNames = 16

// A nameSet holds the names of one object's members.
type nameSet struct {
	few  [fewNames]string
	n    int
	many map[string]struct{}
}

// add reports false when name is there already.
func (s *nameSet) add(name string) bool {
	if s.many != nil {
		if _, dup := s.many[name]; dup {
			return false
		}
		s.many[name] = struct{}{}
		return true
	}
	for _, n := range s.few[:s.n] {
		if n == name {
			return false
		}
	}
	if s.n < fewNames {
		s.few[s.n] = name
		s.n++
		return true
	}
	s.many = make(map[string]struct{}, 4*fewNames)
	for _, n := range s.few {
		s.many[n] = struct{}{}
	}
	s.many[name] = struct{}{}
	return true
}
