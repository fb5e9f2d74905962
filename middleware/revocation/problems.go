package revocation

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

var errNotMade = errors.New("revocation: config was not made by NewConfig")

// checked returns a copy of c with what nil stands for filled in, or everything that is wrong with c.
func (c *Config) checked() (Config, error) {
	if c == nil || !c.made {
		return Config{}, errNotMade
	}
	var list []error
	add := func(field, format string, args ...any) {
		list = append(list, fmt.Errorf("revocation: config: %s: %w", field, fmt.Errorf(format, args...)))
	}
	if c.Issuer == "" {
		add("Issuer", "it is required")
	}
	if err := checkURL(c.URL, c.AllowInsecureHTTP); err != nil {
		add("URL", "%q: %w", shown(c.URL), err)
	}
	if c.ClientID == "" {
		add("ClientID", "it is required")
	}
	if c.ClientSecret == "" {
		add("ClientSecret", "it is required: the feed is for confidential clients")
	}
	switch c.WhenStale {
	case Refuse, Accept:
	case "":
		add("WhenStale", "it is required: Refuse or Accept")
	default:
		add("WhenStale", "%q is neither Refuse nor Accept", string(c.WhenStale))
	}
	if c.Interval < 10*time.Millisecond {
		add("Interval", "%v is less than 10ms", c.Interval)
	}
	if c.MaxAge <= c.Interval {
		add("MaxAge", "%v is not more than Interval, %v: the list would be stale between two polls", c.MaxAge, c.Interval)
	}
	if c.MaxEntries < 1 {
		add("MaxEntries", "%d is not positive", c.MaxEntries)
	}
	d := *c
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.OnEvent == nil {
		d.OnEvent = func(Event) {}
	}
	return d, errors.Join(list...)
}

// checkURL accepts absolute https URLs without user, query or fragment, and http ones on loopback or when insecure.
func checkURL(s string, insecure bool) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("not an absolute https URL")
	case u.User != nil || strings.ContainsAny(s, "?#"):
		return errors.New("URL has a user, a query or a fragment")
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return errors.New("http on a host that is not loopback, without AllowInsecureHTTP")
	}
	return nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// shown is an address of the configuration, to be repeated: without a password or a query, which may hold a secret.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable)"
	}
	u.RawQuery, u.Fragment = "", ""
	return u.Redacted()
}
