package middleware

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// httpProblems names everything that is wrong with c as far as New alone is concerned.
func (c *Config) httpProblems() []error {
	var list []error
	add := func(where, format string, args ...any) {
		list = append(list, &problem{where, fmt.Errorf(format, args...)})
	}
	if !isFieldText(c.Realm) {
		add("Realm", "%q has characters that don't belong in a header", c.Realm)
	}
	if c.Realm == "" && c.Profile != ASPNET && len(c.Audiences) > 0 && !isFieldText(c.Audiences[0]) {
		add("Realm", "empty, and the first audience %q has characters that don't belong in a header", c.Audiences[0])
	}
	if c.RetryAfter < 0 {
		add("RetryAfter", "%v is negative", c.RetryAfter)
	}
	if c.Cookie != "" && (&http.Cookie{Name: c.Cookie}).Valid() != nil {
		add("Cookie", "%q is not the name of a cookie", c.Cookie)
	}
	for _, s := range c.Challenges {
		if s == "" || !isFieldText(s) {
			add("Challenges", "%q is not a challenge", s)
		}
	}
	if c.Resource != "" {
		if err := checkURL(c.Resource, c.AllowInsecureHTTP); err != nil {
			add("Resource", "%w", err)
		}
	} else if len(c.ResourceMetadata) > 0 {
		add("ResourceMetadata", "without Resource")
	}
	for _, name := range []string{"resource", "authorization_servers"} {
		if _, set := c.ResourceMetadata[name]; set {
			add("ResourceMetadata", "%s can't be set here", name)
		}
	}
	if _, err := json.Marshal(c.ResourceMetadata); err != nil {
		add("ResourceMetadata", "%w", err)
	}
	return list
}

// isFieldText reports whether s is printable ASCII.
func isFieldText(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return true
}
