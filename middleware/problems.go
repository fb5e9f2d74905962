package middleware

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

var errNotMade = errors.New("middleware: config was not made by NewConfig")

// A problem is one thing that is wrong with a Config.
type problem struct {
	where string
	err   error
}

func (p *problem) Error() string {
	return "middleware: config: " + p.where + ": " + p.err.Error()
}

func (p *problem) Unwrap() error { return p.err }

// clone copies c deeply and fills in what nil stands for.
func (c *Config) clone() Config {
	d := *c
	d.Issuer = c.Issuer.clone()
	d.Others = slices.Clone(c.Others)
	for i := range d.Others {
		d.Others[i] = d.Others[i].clone()
	}
	d.Challenges = slices.Clone(c.Challenges)
	d.ResourceMetadata = maps.Clone(c.ResourceMetadata)
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

func (i Issuer) clone() Issuer {
	i.Audiences = slices.Clone(i.Audiences)
	i.Algorithms = slices.Clone(i.Algorithms)
	i.Types = slices.Clone(i.Types)
	i.RequiredClaims = slices.Clone(i.RequiredClaims)
	i.ScopeClaims = slices.Clone(i.ScopeClaims)
	return i
}

// all returns every issuer, the embedded one first.
func (c *Config) all() []Issuer { return append([]Issuer{c.Issuer}, c.Others...) }

// problems names everything that is wrong with c, as far as both constructors are concerned.
func (c *Config) problems() []error {
	var list []error
	add := func(where, format string, args ...any) {
		list = append(list, &problem{where, fmt.Errorf(format, args...)})
	}
	if c.ClockSkew < 0 {
		add("ClockSkew", "%v is negative", c.ClockSkew)
	}
	if c.MaxTokenSize <= 0 {
		add("MaxTokenSize", "%d is not positive", c.MaxTokenSize)
	}
	for _, bound := range []struct {
		name  string
		value int
	}{{"CacheEntries", c.CacheEntries}, {"CacheBytes", c.CacheBytes}, {"MaxVerifications", c.MaxVerifications}} {
		if bound.value < 0 {
			add(bound.name, "%d is negative", bound.value)
		}
	}
	if room := c.CacheBytes / leastSize; min(c.CacheEntries, room) > mostRemembered {
		add("CacheEntries", "%d of them in CacheBytes, %d, are more than the %d that a table is made for", c.CacheEntries, c.CacheBytes, mostRemembered)
	}
	names := map[string]bool{}
	for n, iss := range c.all() {
		where := "issuer " + strconv.Quote(iss.Name)
		if iss.Name == "" {
			where = "issuer " + strconv.Itoa(n+1)
		}
		if !iss.made {
			add(where, "not made by NewIssuer")
			continue
		}
		if iss.Name != "" && names[iss.Name] {
			add(where, "given twice")
		}
		names[iss.Name] = true
		for _, err := range iss.problems(c.AllowInsecureHTTP) {
			list = append(list, &problem{where, err})
		}
	}
	return list
}

func (i *Issuer) problems(insecure bool) []error {
	var list []error
	add := func(format string, args ...any) { list = append(list, fmt.Errorf(format, args...)) }
	discovered := i.Keys == nil && i.KeySetURL == ""
	if i.Name == "" {
		add("no name")
	} else if err := checkURL(i.Name, insecure); err != nil && (discovered || strings.Contains(i.Name, "://")) {
		add("name: %w", err) // issuers whose keys are given may have a name that is no URL (RFC 7519 §4.1.1)
	}
	if discovered && strings.Contains(i.Name, "?") {
		add("name: URL has a query") // RFC 8414 §2
	}
	if i.KeySetURL != "" {
		if i.Keys != nil {
			add("both Keys and KeySetURL")
		}
		if err := checkURL(i.KeySetURL, insecure); err != nil {
			add("KeySetURL: %w", err)
		}
	}
	if len(i.Audiences) == 0 {
		add("no audience")
	}
	for _, aud := range i.Audiences {
		if aud == "" {
			add("empty audience")
		}
	}
	if len(i.Algorithms) == 0 {
		add("no algorithm")
	}
	for _, name := range i.Algorithms {
		switch {
		case symmetric(name):
			add("algorithm %q is never accepted: it does not prove who signed", name)
		case algorithmNamed(name) == nil:
			add("algorithm %q is unknown", name)
		}
	}
	if i.Types != nil && len(i.Types) == 0 {
		add("Types is empty and not nil: no token would do")
	}
	if i.Profile < Default || i.Profile > ASPNET {
		add("profile %d is unknown", i.Profile)
	}
	if i.Profile == RFC9068 && i.Types != nil && !slices.Equal(i.types(), []string{"at+jwt"}) {
		add("Types must be at+jwt or nil with the profile RFC9068")
	}
	if i.MaxTokenAge < 0 {
		add("MaxTokenAge %v is negative", i.MaxTokenAge)
	}
	for _, name := range i.RequiredClaims {
		if name == "" {
			add("empty name in RequiredClaims")
		}
	}
	for _, path := range i.ScopeClaims {
		if path == "" || path[0] == '/' && !validPointer(path) {
			add("ScopeClaims: %q is neither a name nor a JSON Pointer", path)
		}
	}
	return list
}

// checkURL accepts absolute https URLs without user, query or fragment, and http ones on loopback or when insecure.
func checkURL(s string, insecure bool) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("not an absolute https URL")
	case u.User != nil || u.Fragment != "" || strings.Contains(s, "#"):
		return errors.New("URL has a user or a fragment")
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return errors.New("http on a host that is not loopback, without AllowInsecureHTTP")
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
