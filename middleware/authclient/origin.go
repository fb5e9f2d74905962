package authclient

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// originOf returns the origin of u (RFC 6454, section 4) as scheme://host:port, with the port always named.
func originOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		switch scheme {
		case "https":
			port = "443"
		case "http":
			port = "80"
		}
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// crossed reports whether req came by a redirect through any origin but its own. The whole chain is looked at, not the
// last hop alone: an origin that was given the request in between may have chosen where on ours it ends.
func crossed(req *http.Request, origin string) bool {
	for resp := req.Response; resp != nil; resp = resp.Request.Response {
		if resp.Request == nil || originOf(resp.Request.URL) != origin {
			return true
		}
	}
	return false
}

// is reports whether u is the token endpoint, however its path is written, or may be.
func (e *tokenEndpoint) is(u *url.URL) bool {
	return originOf(u) == originOf(e.url) && (u.Opaque != "" || path.Clean("/"+u.Path) == path.Clean("/"+e.url.Path))
}

func validEndpoint(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.Opaque == "" && u.Fragment == ""
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// redactURL returns raw without what may be a secret: an error text is printed.
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// hasAuthorization reports whether the caller has set the header, in whatever case, even to nothing.
func hasAuthorization(h http.Header) bool {
	if _, ok := h["Authorization"]; ok {
		return true
	}
	for name := range h {
		if len(name) == len("Authorization") && strings.EqualFold(name, "Authorization") {
			return true
		}
	}
	return false
}
