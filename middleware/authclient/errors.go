package authclient

import "errors"

var (
	// ErrSessionEnded says that the session is over: the authorization server answered a refresh with invalid_grant, or
	// the access token is past its expiry and there is no refresh token, or there is no token at all. Only a new sign-in
	// and [Transport.SetToken] help. The cause is wrapped beside it, an [*oauth2.RetrieveError] when the server said so.
	ErrSessionEnded = errors.New("authclient: session ended, sign in again")

	// ErrRefreshFailed says that the access token could not be refreshed now, and is past its expiry: the authorization
	// server can't be reached, is overloaded or refused the client. A later request tries again. The cause is wrapped
	// beside it, an [*oauth2.RetrieveError] when the server answered.
	ErrRefreshFailed = errors.New("authclient: refresh failed")
)
