package middleware

import "errors"

// The classes of refusals: which one an error belongs to (errors.Is) decides what a server answers.
var (
	// ErrNoToken: the request carries no credentials of a kind that is looked at. 401 without an error code.
	ErrNoToken = errors.New("middleware: no access token")
	// ErrInvalidRequest: the request is malformed, for example it carries two tokens. 400 invalid_request.
	ErrInvalidRequest = errors.New("middleware: malformed request")
	// ErrInvalidToken: the token is not acceptable, now or ever. 401 invalid_token.
	ErrInvalidToken = errors.New("middleware: invalid access token")
	// ErrInsufficientAuthentication: the user's authentication is too weak or too old for this resource. 401
	// insufficient_user_authentication (RFC 9470).
	ErrInsufficientAuthentication = errors.New("middleware: insufficient user authentication")
	// ErrInsufficientScope: the token is good and does not permit this. 403 insufficient_scope.
	ErrInsufficientScope = errors.New("middleware: insufficient scope")
	// ErrKeysUnavailable: the issuer's keys can't be had now, or the request was cancelled before they came; nothing
	// is known about the token. 503.
	ErrKeysUnavailable = errors.New("middleware: signing keys unavailable")
	// ErrCheckUnavailable: for [Config.Check] to wrap when it can't decide. 503, unless CheckFailOpen.
	ErrCheckUnavailable = errors.New("middleware: check unavailable")
)

// Reason returns the stable word for the outcome that err stands for: [ReasonAccepted] for nil, and
// [ReasonUnknown] for an error that is not of this package.
func Reason(err error) string {
	if err == nil {
		return ReasonAccepted
	}
	return ReasonUnknown
}

// Reasons, stable words for logs and metrics.
const (
	ReasonAccepted     = "accepted"
	ReasonUnknown      = "unknown"
	ReasonCheckSkipped = "check_skipped"
)
