package middleware

import "errors"

// The classes of refusals: which one an error belongs to (errors.Is) decides what a server answers.
var (
	// ErrNoToken says that the request carries no credentials of a kind that is looked at. The answer is 401 with a
	// challenge that has no error code (RFC 6750, Section 3.1).
	ErrNoToken = errors.New("middleware: no access token")

	// ErrInvalidRequest says that the request is malformed, for example that it carries two tokens. The answer is 400
	// invalid_request.
	ErrInvalidRequest = errors.New("middleware: malformed request")

	// ErrInvalidToken says that the token is not acceptable. The answer is 401 invalid_token, which makes a client
	// refresh.
	ErrInvalidToken = errors.New("middleware: invalid access token")

	// ErrInsufficientAuthentication says that the user's authentication is too weak or too old for this resource. The
	// answer is 401 insufficient_user_authentication (RFC 9470, Section 3).
	ErrInsufficientAuthentication = errors.New("middleware: insufficient user authentication")

	// ErrInsufficientScope says that the token is good and does not permit this. The answer is 403
	// insufficient_scope.
	ErrInsufficientScope = errors.New("middleware: insufficient scope")

	// ErrKeysUnavailable says that the issuer's keys can't be had now, or that the request was cancelled before they
	// came: nothing is known about the token, which may be fine. The answer is 503 with Retry-After.
	ErrKeysUnavailable = errors.New("middleware: signing keys unavailable")

	// ErrCheckUnavailable is for [Config.Check] to wrap when it can't decide. The answer is 503 with Retry-After.
	ErrCheckUnavailable = errors.New("middleware: check unavailable")
)
