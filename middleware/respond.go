package middleware

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Deny answers r with the status, the challenges and the body that err stands for, in the way that the Config says. It
// is what [Bearer.Handler] does, for callers of [Bearer.Check]: routers whose handlers are not http.Handlers, and
// handlers that find out late that a token does not do. err may wrap a class, for example [ErrInsufficientScope]; an
// error of none is answered with 500 and no details.
func (b *Bearer) Deny(w http.ResponseWriter, r *http.Request, err error) {
	refused := refusalOf(err)
	if refused == nil {
		v := classVerdicts[classOf(err)]
		if v == nil {
			v = verdictInternal
		}
		refused = &refusal{verdict: v, cause: err}
	}
	a := b.answer(refused)
	h := w.Header()
	if len(a.challenges) > 0 {
		h["Www-Authenticate"] = a.challenges
	}
	h["Cache-Control"] = noStore
	if a.status == http.StatusServiceUnavailable {
		h["Retry-After"] = b.retryAfter
	}
	switch {
	case b.validator.cfg.WriteError != nil:
		b.validator.cfg.WriteError(w, r, a.status, err)
	case a.body != nil:
		h["Content-Type"] = applicationJSON
		h["X-Content-Type-Options"] = noSniff
		h["Content-Length"] = a.length
		w.WriteHeader(a.status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(a.body)
		}
	default:
		w.WriteHeader(a.status)
	}
}

// Values of headers that every answer shares: Set and Add of an http.Header never write to the slice that is there.
var (
	noStore         = []string{"no-store"}
	noSniff         = []string{"nosniff"}
	applicationJSON = []string{"application/json"}
)

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

// retryAfter is d in whole seconds, rounded up.
func retryAfter(d time.Duration) []string {
	return []string{strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)}
}
