package authclient

import "net/http"

// verdict is what a response says of the access token it answers.
type verdict int

const (
	silent   verdict = iota // a 401 for another reason, or one we are not told
	accepted                // any status but 401
	invalid                 // 401, and a refresh may help
)

// judge reads resp, the answer to a request we attached h's token to.
//
// RFC 6750, section 3.1: invalid_token is the one error of which it says that the client may request a new access token
// and retry. The rest would come again with any token: insufficient_scope (403), invalid_request, a challenge for other
// credentials, or use_dpop_nonce, which whoever makes the proofs answers.
func judge(resp *http.Response, method string, lenient, pastExpiry bool) verdict {
	if resp.StatusCode != http.StatusUnauthorized {
		return accepted
	}
	challenges := parseChallenges(resp.Header)
	unexplained := len(resp.Header.Values("Www-Authenticate")) == 0
	for _, c := range challenges {
		if c.scheme != "bearer" && c.scheme != "dpop" {
			continue
		}
		reason, said := c.params["error"]
		if reason == "invalid_token" {
			return invalid
		}
		if !said {
			unexplained = true
		}
	}
	if lenient && unexplained && (pastExpiry || harmless(method)) {
		return invalid
	}
	return silent
}

// harmless reports whether sending the request again does no harm even if the server did act upon it.
func harmless(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

// idempotent reports whether req may be sent twice (RFC 9110, section 9.2.2); the header is net/http's own convention.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case http.MethodPut, http.MethodDelete, http.MethodTrace:
		return true
	}
	return harmless(req.Method) || len(req.Header["Idempotency-Key"]) > 0 || len(req.Header["X-Idempotency-Key"]) > 0
}
