package authclient

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// originOf returns the origin of u (RFC 6454, Section 4) as scheme://host:port, always with the port.
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

// redirectedAcrossOrigins reports whether req came by redirects through any origin but its own. It looks at the whole
// chain: an origin in the middle may have chosen where on ours the chain ends.
func redirectedAcrossOrigins(req *http.Request, origin string) bool {
	for resp := req.Response; resp != nil; resp = resp.Request.Response {
		if resp.Request == nil || originOf(resp.Request.URL) != origin {
			return true
		}
	}
	return false
}

// is reports whether u is the token endpoint, or may be: however its path is written.
func (e *tokenEndpoint) is(u *url.URL) bool {
	return originOf(u) == originOf(e.url) && (u.Opaque != "" || path.Clean("/"+u.Path) == path.Clean("/"+e.url.Path))
}

// hasAuthorization reports whether the caller has set the header, in any case and with any value, even an empty one.
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

// opinion is what one origin has said of one access token. It decides whether a 401 of that origin causes a refresh: an
// API that rejects every token must not cause a refresh for each request.
type opinion struct {
	accepted    bool // it has answered the token with anything but 401
	fetchedFor  bool // the token was fetched because it had rejected the one before
	refreshNext bool // it has rejected the token, and the next request refreshes first
	ignored     bool // its 401s cause no further refresh of the token
}

// mayRefresh reports whether a 401 of the origin may cause a refresh, and records it if not.
//
// If a token was fetched for an origin that has never accepted it, the reason for the 401 is one that a new token does
// not cure.
func (o *opinion) mayRefresh() bool {
	if o.fetchedFor && !o.accepted {
		o.ignored = true
	}
	return !o.ignored
}

// retryRejected records that the origin has rejected the token in a retry. That counts if the token was fetched for the
// origin. A token that was there before may have been rejected for the same reason as the first; the next request finds
// out.
func (o *opinion) retryRejected() {
	if o.fetchedFor {
		o.ignored = true
	}
}

// opinion returns what origin has said of t. The refresher's mutex is held, here and below.
func (t *cachedToken) opinion(origin string) *opinion {
	o := t.origins[origin]
	if o == nil {
		o = new(opinion)
		if t.origins == nil {
			t.origins = make(map[string]*opinion)
		}
		t.origins[origin] = o
	}
	return o
}

// refreshNext reports whether an origin has rejected t so that the next request refreshes it first.
func (t *cachedToken) refreshNext() bool {
	for _, o := range t.origins {
		if o.refreshNext {
			return true
		}
	}
	return false
}

// inheritOrigins copies from old, the token before, which origins have rejected the token that was fetched for them.
// They do not get another one because a different origin or another process has fetched t. After a refresh that only
// the clock has caused this is not called: the origins get a new chance.
func (t *cachedToken) inheritOrigins(old *cachedToken) {
	if old == nil {
		return
	}
	for origin, o := range old.origins {
		if o.fetchedFor && !o.accepted {
			t.opinion(origin).fetchedFor = true
		}
	}
}
