// Package weburl judges the URLs that keys, tokens and secrets travel over, and shows them without their secrets.
package weburl

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// maxText is the longest URL that Redact shows, in bytes.
const maxText = 200

// Parse reads an absolute URL and fails unless it is https, or http on a loopback host, or http anywhere when insecure.
// It refuses a URL without a host, one with user info, and one with a fragment, also an empty one. A query is the
// caller's question: [HasQuery]. Its errors repeat the scheme and nothing else.
func Parse(address string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if err := check(u, insecure); err != nil {
		return nil, err
	}
	if strings.Contains(address, "#") { // url.Parse drops an empty fragment
		return nil, errFragment
	}
	return u, nil
}

var errFragment = errors.New("the URL has a fragment")

func check(u *url.URL, insecure bool) error {
	switch {
	case u.Scheme == "":
		return errors.New("not an absolute URL, such as https://host/path")
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("the scheme is %q, not https", Clip(u.Scheme, 64))
	case u.Hostname() == "":
		return errors.New("the URL has no host")
	case u.User != nil:
		return errors.New("the URL has a user or a password")
	case u.Fragment != "":
		return errFragment
	case u.Scheme == "http" && !insecure && !IsLoopback(u.Hostname()):
		return errors.New("http on a host that is not loopback: use https, or set AllowInsecureHTTP")
	}
	return nil
}

// CheckStep judges the step from one URL to the next that it names, by a redirect or in a document. The next one must
// be fit for [Parse]. From https the step must not lead to http, not even when insecure: whoever configured https did
// not mean to have the answer changed on its way.
func CheckStep(from, to *url.URL, insecure bool) error {
	if err := check(to, insecure); err != nil {
		return err
	}
	if to.Scheme == "http" && from.Scheme != "http" {
		return errors.New("from https to http")
	}
	return nil
}

// IsLoopback reports whether host, as [url.URL.Hostname] returns it, can only be this machine: localhost in any case,
// or an IP address of 127.0.0.0/8 or ::1. Spellings that only some resolvers read so (0x7f.1, 127.1, "localhost." and
// names below localhost) do not count: where another resolver sends the request is unknown.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// HasQuery reports whether u has a query, even an empty one.
func HasQuery(u *url.URL) bool { return u.RawQuery != "" || u.ForceQuery }

// Redact returns address for an error or a log: without user info, query and fragment, which may hold secrets, and cut
// after 200 bytes. What is not a URL at all is not repeated. Only an address that [Parse] has accepted is safe to print
// without %q.
func Redact(address string) string {
	u, err := url.Parse(address)
	// A password in a text without "//" ("user:password@host") ends up in the scheme, in Opaque or in the path.
	if err != nil || u.Opaque != "" || u.Host == "" && strings.Contains(address, "@") {
		return "(not a URL)"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return Clip(u.String(), maxText)
}

// Clip bounds what is repeated of a foreign text. It returns s if it has at most size bytes, otherwise the whole
// characters within the first size bytes and an ellipsis.
func Clip(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "") + "…"
}
