package middleware

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// status returns the answer to a class of refusals.
func status(class error) int {
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

// code returns the error code of RFC 6750 §3.1 or RFC 9470 §3; none for a request without a token. For 503 it is the
// word that RFC 6749 §4.1.2.1 has, in the body only.
func code(class error) string {
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

// An answer is what a refusal looks like over HTTP.
type answer struct {
	status      int
	code        string
	description string
	challenges  []string // values of WWW-Authenticate
	body        []byte   // nil for none
	length      []string // of the body
}

// answer works out the answer to r. Most refusals say nothing of the token or the route, so that their answers are made
// once and kept: refusing must be cheap.
func (b *Bearer) answer(r *refusal) *answer {
	if r.words != "" || r.route != nil {
		return b.newAnswer(r)
	}
	if kept, ok := b.answers.Load(r.verdict); ok {
		return kept.(*answer)
	}
	a := b.newAnswer(r)
	b.answers.Store(r.verdict, a) // there are no more of them than verdicts
	return a
}

func (b *Bearer) newAnswer(r *refusal) *answer {
	cfg := &b.validator.cfg
	class := r.verdict.class
	a := &answer{status: status(class), code: code(class)}
	if cfg.DescribeErrors {
		a.description = r.verdict.description
		if cfg.Profile == ASPNET {
			a.description = r.words
		}
	}
	if cfg.JSONBody && cfg.Profile != ASPNET && a.code != "" {
		a.body, _ = json.Marshal(struct {
			Error       string `json:"error"`
			Description string `json:"error_description,omitempty"`
		}{a.code, a.description})
		a.length = []string{strconv.Itoa(len(a.body))}
	}
	if a.status >= http.StatusInternalServerError || a.status == http.StatusForbidden && cfg.Profile == ASPNET {
		return a // RFC 6750 has no challenge for the first: the client can do nothing; JwtBearer none for the second
	}
	a.challenges = append(a.challenges, b.challenge(r, a))
	if a.status == http.StatusUnauthorized {
		a.challenges = append(a.challenges, cfg.Challenges...)
	}
	a.challenges = slices.Clip(a.challenges) // who adds one gets a slice of his own
	return a
}

// challenge is the Bearer challenge for r.
func (b *Bearer) challenge(r *refusal, a *answer) string {
	cfg := &b.validator.cfg
	var c challengeWriter
	c.WriteString("Bearer")
	if b.realm != "" {
		c.param("realm", b.realm)
	}
	if a.code != "" && !(cfg.Profile == ASPNET && !cfg.DescribeErrors) {
		c.param("error", a.code)
		if a.description != "" {
			c.param("error_description", a.description)
		}
	}
	if r.route != nil {
		switch r.verdict.class {
		case ErrInsufficientScope:
			if r.route.scope != "" {
				c.param("scope", r.route.scope)
			}
		case ErrInsufficientAuthentication:
			if len(r.route.ACR) > 0 {
				c.param("acr_values", strings.Join(r.route.ACR, " "))
			}
			if r.route.MaxAge > 0 {
				c.param("max_age", strconv.FormatInt(int64((r.route.MaxAge+time.Second-1)/time.Second), 10))
			}
		}
	}
	if b.metadataURL != "" {
		c.param("resource_metadata", b.metadataURL)
	}
	return c.String()
}

type challengeWriter struct {
	strings.Builder
	params int
}

func (c *challengeWriter) param(name, val string) {
	if c.params > 0 {
		c.WriteByte(',')
	}
	c.params++
	c.WriteString(" " + name + "=" + quoted(val))
}
