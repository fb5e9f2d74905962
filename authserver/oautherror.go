package authserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

var errBadGrantID = errors.New("authserver: internal error: the server did not make this grant id")

// oauthError is an error answer (RFC 6749, Sections 4.1.2.1 and 5.2). No part of a description comes from a request, so
// it needs no escaping and echoes nothing.
type oauthError struct {
	status      int
	code        string
	description string
	retryAfter  string // seconds
	cause       error  // for the log
}

func (e *oauthError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("authserver: %s: %s: %v", e.code, e.description, e.cause)
	}
	return fmt.Sprintf("authserver: %s: %s", e.code, e.description)
}

func (e *oauthError) Unwrap() error { return e.cause }

func badRequest(code, description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, code: code, description: description}
}

func invalidRequest(description string) *oauthError {
	return badRequest("invalid_request", description)
}
func invalidGrant(description string) *oauthError  { return badRequest("invalid_grant", description) }
func invalidScope(description string) *oauthError  { return badRequest("invalid_scope", description) }
func invalidTarget(description string) *oauthError { return badRequest("invalid_target", description) }

func invalidClient(cause error) *oauthError {
	return &oauthError{http.StatusUnauthorized, "invalid_client", "client authentication failed", "", cause}
}

func methodNotAllowed(description string) *oauthError {
	return &oauthError{status: http.StatusMethodNotAllowed, code: "invalid_request", description: description}
}

func serverError(description string, cause error) *oauthError {
	return &oauthError{http.StatusInternalServerError, "server_error", description, "", cause}
}

// unavailable is the answer when the outcome is unknown or something behind the server is down. The client's tokens
// stay valid, and it may send the same request again.
func unavailable(cause error) *oauthError {
	return &oauthError{status: http.StatusServiceUnavailable, code: "temporarily_unavailable",
		description: "try again", retryAfter: "1", cause: cause}
}

// refuse writes e as an answer of the token endpoint.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *oauthError) {
	if e.status >= 500 {
		s.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", e.cause)
	} else {
		s.log.DebugContext(r.Context(), "request refused", "path", r.URL.Path, "error", e)
	}
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="bearergate", charset="UTF-8"`)
	}
	if e.retryAfter != "" {
		w.Header().Set("Retry-After", e.retryAfter)
	}
	writeJSON(w, e.status, map[string]string{"error": e.code, "error_description": e.description})
}

// writeJSON writes an answer that must not be cached.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // a claim or a response member of the application is not a JSON value
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	noStore(w)
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}
