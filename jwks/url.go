package jwks

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// checkURL reads an address and refuses what must not be fetched from.
func checkURL(address string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("not an https URL")
	case u.Hostname() == "":
		return nil, errors.New("a URL without a host")
	case u.User != nil:
		return nil, errors.New("a URL with a user or a password")
	case u.Fragment != "" || strings.Contains(address, "#"):
		return nil, errors.New("a URL with a fragment")
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return nil, errors.New("http is only for loopback hosts (unless AllowInsecureHTTP)")
	}
	return u, nil
}

// checkStep judges the way from one address to the next that it names: https always, http only where http already was.
func checkStep(from, to *url.URL, insecure bool) error {
	if _, err := checkURL(to.String(), insecure); err != nil {
		return err
	}
	if to.Scheme == "http" && from.Scheme != "http" {
		return errors.New("from https to http")
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

// redacted is an address of the configuration, to be repeated in an error.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable)"
	}
	return clip200(u.Redacted())
}

// shown is an address for an error or a log: without its query, which may hold a secret.
func shown(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return clip200(address)
}

func clip200(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
