package middleware

// An Event is one outcome, for metrics and audit.
type Event struct {
	Reason string // a stable word, see [Reason]
	Err    error  // nil when the token was accepted
	Issuer string // the configured issuer that the token names; empty when it names none of them
	Token  *Token // nil unless the signature was verified
}
