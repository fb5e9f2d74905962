package middleware

import "time"

// A Requirement is what one route asks of a token beyond being acceptable. Every field that is set must be met.
type Requirement struct {
	Scopes    []string              // all of them
	AnyScope  []string              // at least one of them
	Audiences []string              // aud contains at least one of them
	Allow     func(tok *Token) bool // a predicate over the claims
	ACR       []string              // acr is one of them (RFC 9470 acr_values)
	MaxAge    time.Duration         // the user authenticated at most this long ago (RFC 9470 max_age)
}
