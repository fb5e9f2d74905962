package middleware

// An Event is one outcome, told to [Config.OnEvent] for metrics and audit.
type Event struct {
	// Reason is the stable word for the outcome, see [Reason]; there are few of them, so it may label a metric.
	Reason string

	// Err is the refusal; nil when the token was accepted, and what Check said with [ReasonCheckSkipped].
	Err error

	// Issuer is the configured issuer that the token names, verified or not; empty when it names none of them. There
	// are no more values than the configuration has.
	Issuer string

	// Token is what was judged; nil unless its signature was verified. It may have been refused all the same.
	Token *Token
}
