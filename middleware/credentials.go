package middleware

import (
	"encoding/binary"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// credentials finds the one token that r carries; its characters are not looked at. fromQuery says that it came by the query, which makes the answer
// private.
func (b *Bearer) credentials(r *http.Request) (raw string, fromQuery bool, err error) {
	cfg := &b.validator.cfg
	found := 0
	if values := r.Header["Authorization"]; len(values) > 1 {
		return "", false, errMultiple
	} else if len(values) == 1 {
		token, ok, err := b.fromHeader(values[0])
		if err != nil {
			return "", false, err
		}
		if ok {
			raw = token
			found++
		}
	}
	if cfg.Cookie != "" {
		for _, c := range r.Cookies() {
			if c.Name == cfg.Cookie && c.Value != "" {
				raw = c.Value
				found++
			}
		}
	}
	if cfg.AllowForm && isForm(r) {
		// The body is read before the token is judged: only callers who opt in pay for that, and ParseForm is bounded.
		if err := r.ParseForm(); err != nil {
			return "", false, refuse(verdictCredentials).because(err)
		}
		if values := r.PostForm["access_token"]; len(values) > 0 {
			raw = values[0]
			found += len(values)
		}
	}
	if cfg.AllowQuery && r.URL.RawQuery != "" {
		// Two readers of a query that can't be parsed may find two tokens in it.
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil && strings.Contains(r.URL.RawQuery, "access_token") {
			return "", true, refuse(verdictCredentials).because(err)
		}
		if values := query["access_token"]; len(values) > 0 {
			raw, fromQuery = values[0], true
			found += len(values)
		}
	}
	switch {
	case found == 0:
		return "", false, errNoToken
	case found > 1:
		return "", fromQuery, errMultiple
	}
	return raw, fromQuery, nil
}

// fromHeader reads one Authorization header. Another scheme than Bearer is no credentials: it is for somebody else.
func (b *Bearer) fromHeader(header string) (token string, ok bool, err error) {
	const usual = "Bearer "
	if len(header) > len(usual) && header[:len(usual)] == usual && header[len(usual)] != ' ' {
		return header[len(usual):], true, nil
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, nil
	}
	token = strings.TrimLeft(rest, " ") // 1*SP
	if token == "" {
		if b.validator.cfg.Profile == ASPNET {
			return "", false, nil
		}
		return "", false, errCredentials
	}
	return token, true, nil
}

// isForm reports whether r's body is a form that may carry a token: single-part, and with a method that gives the body
// a meaning (RFC 6750 §2.2). These are the methods for which net/http reads a form.
func isForm(r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return false
	}
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && typ == "application/x-www-form-urlencoded"
}

// isB64Token reports whether s has the syntax of RFC 6750 §2.1: 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	if s == "" {
		return false
	}
	// Eight at a time: what comes here is garbage, and may be long.
	for ; len(s) >= 8; s = s[8:] {
		if !usualChars(binary.LittleEndian.Uint64(bytesOf(s))) && !areB64TokenChars(s[:8]) {
			return false
		}
	}
	return areB64TokenChars(s)
}

// usualChars reports whether all eight bytes of x are letters, digits or one of "-./_". Each byte is judged in its own eight
// bits, by whether a sum reaches the highest of them.
func usualChars(x uint64) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	if x&high != 0 {
		return false
	}
	lower, underscore := x|0x20*each, x^'_'*each
	letter := (lower + (0x80-'a')*each) &^ (lower + (0x7F-'z')*each)
	digit := (x + (0x80-'-')*each) &^ (x + (0x7F-'9')*each) // "-./" stand before the digits
	return (letter|digit|^(underscore+0x7F*each))&high == high
}

func areB64TokenChars(s string) bool {
	for i := range len(s) {
		if !b64TokenChars[s[i]] {
			return false
		}
	}
	return true
}

var b64TokenChars = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		set[c] = true
	}
	return set
}()

// isPreflight reports whether r is a CORS preflight, which browsers send without credentials.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != "" && len(r.Header["Authorization"]) == 0
}
