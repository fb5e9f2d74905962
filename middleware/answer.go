package middleware

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retryAfter is what a 503 asks the client to wait, in seconds.
const retryAfter = "5"

// Deny answers r with the status, the challenge and the body that err stands for, in the way that the Config says. It
// is what [Bearer.Handler] does, for callers of [Bearer.Check]: routers whose handlers are not http.Handlers, and
// handlers that find out late that a token does not do. err may wrap a class, for example [ErrInsufficientScope]; an
// error of none is answered with 500 and no details.
func (b *Bearer) Deny(w http.ResponseWriter, r *http.Request, err error) {
	refused := refusalOf(err)
	if refused == nil {
		verdict := classVerdicts[classOf(err)]
		if verdict == nil {
			verdict = verdictInternal
		}
		refused = refuse(verdict).withCause(err)
	}
	cfg := &b.validator.cfg
	status, code := statusOf(refused.verdict.class), codeOf(refused.verdict.class)
	description := ""
	if cfg.DescribeErrors {
		description = b.style.describe(refused)
	}
	h := w.Header()
	// RFC 6750 has no challenge for 503: the client can do nothing.
	if status < http.StatusInternalServerError && (status != http.StatusForbidden || b.style.challengeScope) {
		h.Set("WWW-Authenticate", b.challenge(refused, code, description))
	}
	h.Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	switch {
	case cfg.WriteError != nil:
		cfg.WriteError(w, r, status, err)
	case b.style.body && code != "":
		writeBody(w, r, status, code, description)
	default:
		w.WriteHeader(status)
	}
}

func writeBody(w http.ResponseWriter, r *http.Request, status int, code, description string) {
	body, _ := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{code, description})
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// statusOf returns the status for a class of refusals.
func statusOf(class error) int {
	switch class {
	case ErrNoToken, ErrInvalidToken, ErrInsufficientAuthentication:
		return http.StatusUnauthorized
	case ErrInvalidRequest:
		return http.StatusBadRequest
	case ErrInsufficientScope:
		return http.StatusForbidden
	case ErrKeysUnavailable, ErrCheckUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// codeOf returns the error code of RFC 6750, Section 3.1, or RFC 9470, Section 3; none for a request without a token.
// For 503 it is that of RFC 6749, Section 4.1.2.1, in the body only.
func codeOf(class error) string {
	switch class {
	case ErrInvalidRequest:
		return "invalid_request"
	case ErrInvalidToken:
		return "invalid_token"
	case ErrInsufficientAuthentication:
		return "insufficient_user_authentication"
	case ErrInsufficientScope:
		return "insufficient_scope"
	case ErrKeysUnavailable, ErrCheckUnavailable:
		return "temporarily_unavailable"
	}
	return ""
}

// challenge returns the Bearer challenge for a refusal.
func (b *Bearer) challenge(r *refusal, code, description string) string {
	var params []string
	add := func(name, value string) {
		if value != "" {
			params = append(params, name+"="+quoted(value))
		}
	}
	add("realm", b.realm)
	if b.style.errorAlone || b.validator.cfg.DescribeErrors {
		add("error", code)
		add("error_description", description)
	}
	if rt := r.route; rt != nil {
		switch r.verdict.class {
		case ErrInsufficientScope:
			add("scope", rt.scope)
		case ErrInsufficientAuthentication:
			add("acr_values", strings.Join(rt.ACR, " "))
			if rt.MaxAge > 0 {
				add("max_age", strconv.FormatInt(int64((rt.MaxAge+time.Second-1)/time.Second), 10))
			}
		}
	}
	add("resource_metadata", b.metadataURL)
	if len(params) == 0 {
		return "Bearer"
	}
	return "Bearer " + strings.Join(params, ", ")
}

// verdictInternal is for errors of others that Deny is given.
var verdictInternal = &verdict{class: errInternal, reason: ReasonUnknown, text: "internal error"}

var errInternal = errors.New("middleware: internal error")

// classVerdicts stand for errors that are a class and nothing more.
var classVerdicts = map[error]*verdict{
	ErrNoToken:                    verdictNoToken,
	ErrInvalidRequest:             verdictCredentials,
	ErrInvalidToken:               verdictCheck,
	ErrInsufficientAuthentication: verdictACR,
	ErrInsufficientScope:          verdictNotPermitted,
	ErrKeysUnavailable:            verdictKeysUnavailable,
	ErrCheckUnavailable:           verdictCheckUnavailable,
}
