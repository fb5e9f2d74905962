package authclient

import "errors"

var (
	// ErrSessionEnded says that the session is over: the authorization server answered a refresh with invalid_grant, or
	// there is no token to send and none to refresh with. Only a new sign-in and [Transport.SetToken] help. The cause is
	// wrapped beside it.
	ErrSessionEnded = errors.New("authclient: session ended, sign in again")

	// ErrRefreshFailed says that the access token is past its expiry and could not be refreshed now: the authorization
	// server can't be reached, is overloaded or refused the client. A later request tries again. The cause is wrapped
	// beside it, an [*oauth2.RetrieveError] when the server answered.
	ErrRefreshFailed = errors.New("authclient: refresh failed")
)
