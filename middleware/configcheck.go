package middleware

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/strictjson"
	"github.com/bearergate/bearergate/internal/weburl"
	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware/internal/hits"
)

var errNotMade = errors.New("middleware: use NewConfig to make a Config")

// A configError is one thing that is wrong with a Config.
type configError struct {
	where string
	err   error
}

func (e *configError) Error() string {
	return "middleware: config: " + e.where + ": " + e.err.Error()
}

func (e *configError) Unwrap() error { return e.err }

// configErrors collects them all, so that a user sees every mistake at once.
type configErrors []error

func (l *configErrors) add(where, format string, args ...any) {
	*l = append(*l, &configError{where, fmt.Errorf(format, args...)})
}

// clone copies c deeply and fills in the defaults of nil fields.
func (c *Config) clone() Config {
	d := *c
	d.Issuer = c.Issuer.clone()
	d.MoreIssuers = slices.Clone(c.MoreIssuers)
	for i := range d.MoreIssuers {
		d.MoreIssuers[i] = d.MoreIssuers[i].clone()
	}
	d.ResourceMetadata = maps.Clone(c.ResourceMetadata)
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

// issuers returns all of them, the first one first.
func (c *Config) issuers() []Issuer { return append([]Issuer{c.Issuer}, c.MoreIssuers...) }

// check returns everything that is wrong with c, as far as both constructors are concerned.
func (c *Config) check() []error {
	var list configErrors
	if c.ClockSkew < 0 {
		list.add("ClockSkew", "%v is negative", c.ClockSkew)
	}
	if c.MaxTokenSize <= 0 {
		list.add("MaxTokenSize", "%d is not positive", c.MaxTokenSize)
	}
	if c.CacheBytes < 0 || c.CacheBytes > hits.MaxBytes {
		list.add("CacheBytes", "%d is not between 0 and %d", c.CacheBytes, hits.MaxBytes)
	}
	if c.MaxVerifications < 0 {
		list.add("MaxVerifications", "%d is negative", c.MaxVerifications)
	}
	names := map[string]bool{}
	for n, iss := range c.issuers() {
		where := "issuer " + quoteName(iss.Name)
		if iss.Name == "" {
			where = "issuer " + strconv.Itoa(n+1)
		}
		if !iss.made {
			list.add(where, "use NewIssuer to make an Issuer")
			continue
		}
		if iss.Name != "" && names[iss.Name] {
			list.add(where, "given twice")
		}
		names[iss.Name] = true
		for _, err := range iss.check(c.AllowInsecureHTTP) {
			list.add(where, "%w", err)
		}
	}
	return list
}

// quoteName repeats the name of an issuer. One that is a URL may hold a password by mistake.
func quoteName(name string) string {
	if strings.Contains(name, "://") {
		name = weburl.Redact(name)
	}
	return strconv.Quote(name)
}

func (i *Issuer) check(insecure bool) []error {
	var list []error
	add := func(format string, args ...any) { list = append(list, fmt.Errorf(format, args...)) }
	discovered := i.Keys == nil && i.KeySetURL == ""
	if i.Name == "" {
		add("the issuer is empty")
	} else if u, err := weburl.Parse(i.Name, insecure); err != nil && (discovered || strings.Contains(i.Name, "://")) {
		add("name: %w", err) // issuers whose keys are given may have a name that is no URL (RFC 7519, Section 4.1.1)
	} else if err == nil && discovered && weburl.HasQuery(u) {
		add("name: the URL has a query") // RFC 8414, Section 2
	}
	if i.KeySetURL != "" {
		if i.Keys != nil {
			add("both Keys and KeySetURL are set")
		}
		if _, err := weburl.Parse(i.KeySetURL, insecure); err != nil {
			add("KeySetURL: %w", err)
		}
	}
	if len(i.Audiences) == 0 {
		add("no audience")
	}
	if slices.Contains(i.Audiences, "") {
		add("an audience is empty")
	}
	if len(i.Algorithms) == 0 {
		add("no algorithm")
	}
	for _, name := range i.Algorithms {
		switch {
		case isSymmetric(name):
			add("algorithm %q is never accepted: it does not prove who signed", name)
		case !jwks.Supported(name):
			add("algorithm %q is unknown", name)
		}
	}
	if i.Types != nil && len(i.Types) == 0 {
		add("Types is empty and not nil: it would reject every token")
	}
	if rules := profiles[i.Profile]; rules == nil {
		add("profile %d is unknown", i.Profile)
	} else if rules.fixedTypes && !slices.Equal(i.acceptableTypes(), rules.types) {
		add("Types must be nil or at+jwt with the profile RFC9068")
	}
	if i.MaxTokenAge < 0 {
		add("MaxTokenAge %v is negative", i.MaxTokenAge)
	}
	if slices.Contains(i.RequiredClaims, "") {
		add("RequiredClaims: a name is empty")
	}
	for _, path := range i.ScopeClaims {
		if path == "" || path[0] == '/' && !strictjson.ValidPointer(path) {
			add("ScopeClaims: %q is neither a name nor a JSON Pointer", path)
		}
	}
	return list
}

// isSymmetric reports whether name is an algorithm with a shared secret, or none at all.
func isSymmetric(name string) bool {
	return strings.EqualFold(name, "none") || len(name) == 5 && strings.EqualFold(name[:2], "HS")
}

// checkHTTP returns everything that is wrong with c as far as New alone is concerned.
func (c *Config) checkHTTP() []error {
	var list configErrors
	style := styles[c.Style]
	if style == nil {
		list.add("Style", "%d is unknown", c.Style)
		style = styles[StyleRFC6750]
	}
	if !isFieldText(c.Realm) {
		list.add("Realm", "%q has characters that don't belong in a header", c.Realm)
	}
	if names := c.Issuer.Audiences; c.Realm == "" && style.realmIsAudience && len(names) > 0 && !isFieldText(names[0]) {
		list.add("Realm", "empty, and the first audience %q has characters that don't belong in a header", names[0])
	}
	if c.Resource != "" {
		if _, err := weburl.Parse(c.Resource, c.AllowInsecureHTTP); err != nil {
			list.add("Resource", "%w", err)
		}
	} else if len(c.ResourceMetadata) > 0 {
		list.add("ResourceMetadata", "set without Resource")
	}
	for _, name := range []string{"resource", "authorization_servers"} {
		if _, set := c.ResourceMetadata[name]; set {
			list.add("ResourceMetadata", "%s can't be set here", name)
		}
	}
	if _, err := json.Marshal(c.ResourceMetadata); err != nil {
		list.add("ResourceMetadata", "%w", err)
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
