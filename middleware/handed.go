package middleware

import "slices"

// A handed is what one request is given of a verified token: a copy, in one piece of memory with its place in the request's
// context. A remembered token is given to many requests; if they shared it, a handler that adds a scope to its token would
// add it to all of them, and to those that come.
type handed struct {
	place judged
	raw   string // what the request carried
	token Token

	audience [2]string
	scopes   [6]string
}

func (e *verified) hand() *handed {
	h := &handed{token: e.token}
	h.token.Audience = slices.Clip(append(h.audience[:0], e.token.Audience...))
	if len(e.token.Scopes) > 0 {
		h.token.Scopes = slices.Clip(append(h.scopes[:0], e.token.Scopes...))
	}
	return h
}

// given is the token, nil if there is none.
func (h *handed) given() *Token {
	if h == nil {
		return nil
	}
	return &h.token
}
