package authserver

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/bearergate/bearergate/internal/weburl"
)

// checkRedirectURI returns why a URI can't be registered, or nil.
func (c *Config) checkRedirectURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return errors.New("it is not an absolute URI")
	case strings.Contains(uri, "#"):
		return errors.New("it has a fragment (RFC 6749, Section 3.1.2)")
	case strings.Contains(uri, "*"):
		return errors.New("it has a wildcard; redirect URIs are compared exactly (RFC 9700, Section 2.1)")
	case slices.Contains([]string{"javascript", "data", "vbscript", "file", "about", "blob", "view-source"}, u.Scheme):
		return errors.New("a browser would run it or open a file")
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host == "":
		return errors.New("it has no host")
	case u.Scheme == "http" && !weburl.IsLoopback(u.Hostname()) && !c.AllowInsecureHTTP:
		return errors.New("it is http on a host that is not loopback")
	case u.User != nil:
		return errors.New("it has user info")
	}
	return nil
}

// redirectAllowed compares byte by byte, except for the port of a native client's loopback URI (RFC 8252, Section 7.3):
// such a client listens on any free port.
func redirectAllowed(c *Client, uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	return c.Native && slices.ContainsFunc(c.RedirectURIs, func(known string) bool {
		a, ok1 := withoutLoopbackPort(known)
		b, ok2 := withoutLoopbackPort(uri)
		return ok1 && ok2 && a == b
	})
}

// withoutLoopbackPort removes the port from an http loopback URI. It cuts the text instead of parsing and printing it,
// so that everything else is still compared byte by byte.
func withoutLoopbackPort(uri string) (string, bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]", "http://localhost"} {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		if port, ok := strings.CutPrefix(rest, ":"); ok {
			rest = strings.TrimLeft(port, "0123456789")
			if len(port)-len(rest) > 5 || len(port) == len(rest) {
				return "", false
			}
		}
		if rest == "" || rest[0] == '/' || rest[0] == '?' {
			return host + rest, true
		}
	}
	return "", false
}

// redirectURL adds parameters to a redirect URI and leaves its own query as it is.
func redirectURL(uri string, add url.Values) string {
	sep := "?"
	if strings.Contains(uri, "?") {
		sep = "&"
	}
	return uri + sep + add.Encode()
}

// formAction returns the source expression of a redirect URI for the form-action directive, which browsers also apply
// to the redirects after a form.
func formAction(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return ""
	}
	// The grammar of the directive has no IPv6 addresses; the scheme must do then.
	if (u.Scheme == "http" || u.Scheme == "https") && !strings.ContainsAny(u.Host, " ;,'\"[") {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}
