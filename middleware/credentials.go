package middleware

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// FromAuthorization returns the token of the Authorization header (RFC 6750, Section 2.1). It is what a nil
// [Config.Credentials] means. Another scheme than Bearer is no token: it is for somebody else.
func FromAuthorization(r *http.Request) (string, error) {
	header, err := single(r.Header.Values("Authorization"))
	if err != nil {
		return "", err
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", refuse(verdictNoToken)
	}
	token := strings.TrimLeft(rest, " ") // 1*SP
	if token == "" {
		return "", refuse(verdictCredentials).withCause(errEmptyBearer)
	}
	return token, nil
}

var errEmptyBearer = errors.New("Bearer without a token") //nolint:staticcheck // the scheme's name

// FromHeader returns a reader of tokens that come in a header of that name without a scheme, as Google's Identity-Aware
// Proxy and Cloudflare Access send them.
func FromHeader(name string) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) { return single(r.Header.Values(name)) }
}

// FromCookie returns a reader of tokens that come in a cookie of that name. A browser may send the cookie with
// cross-site requests, too: the application then needs protection against cross-site request forgery.
func FromCookie(name string) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		var values []string
		for _, c := range r.CookiesNamed(name) {
			if c.Value != "" {
				values = append(values, c.Value)
			}
		}
		return single(values)
	}
}

// FromForm returns the token that is access_token in a form-encoded body (RFC 6750, Section 2.2). The body of such a
// request is then read by [http.Request.ParseForm], up to 10 MiB, before the token is validated.
func FromForm(r *http.Request) (string, error) {
	if !isForm(r) {
		return "", refuse(verdictNoToken)
	}
	if err := r.ParseForm(); err != nil {
		return "", refuse(verdictCredentials).withCause(err)
	}
	return parameter(r.PostForm["access_token"])
}

// FromQuery returns the token that is access_token in the query (RFC 6750, Section 2.3), where it ends up in logs and
// histories; RFC 9700, Section 4.3.2, says not to. Answers to such requests get Cache-Control: private.
func FromQuery(r *http.Request) (string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil && strings.Contains(r.URL.RawQuery, "access_token") {
		// Two readers of a query that can't be parsed may find two tokens in it.
		return "", refuse(verdictCredentials).withCause(err)
	}
	return parameter(query["access_token"])
}

// OneOf returns a reader of tokens that come in one of several ways. A request that uses two of them at once is
// malformed: [ErrInvalidRequest].
func OneOf(readers ...func(*http.Request) (string, error)) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		var values []string
		for _, read := range readers {
			token, err := read(r)
			switch {
			case err == nil && token != "":
				values = append(values, token)
			case err != nil && !errors.Is(err, ErrNoToken):
				return "", err
			}
		}
		return single(values)
	}
}

// single returns the one value that there may be.
func single(values []string) (string, error) {
	switch {
	case len(values) > 1:
		return "", refuse(verdictMultiple)
	case len(values) == 0 || values[0] == "":
		return "", refuse(verdictNoToken)
	}
	return values[0], nil
}

// parameter returns the one value of access_token, which must not be empty if it is there.
func parameter(values []string) (string, error) {
	if len(values) == 1 && values[0] == "" {
		return "", refuse(verdictCredentials)
	}
	return single(values)
}

// credentials returns the token that r carries; its characters are not looked at.
func (b *Bearer) credentials(r *http.Request) (string, error) {
	raw, err := b.read(r)
	switch {
	case err == nil && raw == "":
		return "", refuse(verdictNoToken)
	case err == nil:
		return raw, nil
	case errors.Is(err, errEmptyBearer) && b.style.emptyBearerIsNone:
		return "", refuse(verdictNoToken)
	case refusalOf(err) != nil:
		return "", err
	}
	verdict := classVerdicts[classOf(err)] // a reader of the caller's own failed
	if verdict == nil {
		verdict = verdictCredentials
	}
	return "", refuse(verdict).withCause(err)
}

// isForm reports whether r's body is a form that may carry a token: single-part, and with a method that gives the body
// a meaning (RFC 6750, Section 2.2). These are the methods for which net/http reads a form.
func isForm(r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return false
	}
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && typ == "application/x-www-form-urlencoded"
}

// isB64Token reports whether s has the syntax of RFC 6750, Section 2.1: 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+"
// / "/" ) *"=".
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
