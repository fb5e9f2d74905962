package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
)

const (
	// rediscoverAfter is how long a discovered address is used. A failure to fetch the key set ends that earlier.
	rediscoverAfter = 24 * time.Hour

	// rediscoverSoonest is how long after one reading of the document an unknown kid may cause the next.
	rediscoverSoonest = 15 * time.Minute

	// rediscoverTimeout bounds the discovery of an address that is known already. The rest of fetchTimeout is left for
	// the key set: a document that hangs must not keep it from being fetched.
	rediscoverTimeout = 2 * time.Second
)

// discover finds the key set's address, if it is not known or may have changed. A known address stays in use when
// discovery fails or takes too long: an outage of the document must not become one of the keys.
func (f *fetcher) discover(ctx context.Context) error {
	known := f.keysURL != ""
	if f.cfg.URL != "" || known && !f.rediscover && time.Since(f.discoveredAt) < rediscoverAfter {
		return nil
	}
	timeout := fetchTimeout
	if known {
		timeout = rediscoverTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := f.findKeySet(bounded)
	if err != nil {
		if known && ctx.Err() == nil {
			f.discoveredAt = time.Now()
			return nil
		}
		return fmt.Errorf("discovery of %s: %w", weburl.Redact(f.cfg.Issuer), err)
	}
	if found != f.keysURL {
		f.etag, f.lastModified = "", ""
	}
	f.keysURL, f.discoveredAt, f.rediscover = found, time.Now(), false
	return nil
}

// kidNotFound is called when a fetch has not brought a kid that was looked for: perhaps the key set has moved, and the
// old address still answers. The next fetch then discovers the address again, but made-up kids must not cause that
// often.
func (f *fetcher) kidNotFound() {
	f.rediscover = f.rediscover || time.Since(f.discoveredAt) >= rediscoverSoonest
}

// findKeySet tries one discovery address after the other, the one that answered last time first.
func (f *fetcher) findKeySet(ctx context.Context) (string, error) {
	addresses := discoveryURLs(f.cfg.Issuer)
	var problem error
	for i := range addresses {
		n := (f.form + i) % len(addresses)
		found, next, err := f.readMetadata(ctx, addresses[n])
		if err == nil {
			f.form = n
			return found, nil
		}
		err = fmt.Errorf("%s: %w", weburl.Redact(addresses[n]), err)
		if !next {
			return "", err
		}
		// A document that is wrong explains more than one that is missing.
		if problem == nil || errors.Is(problem, errNoDocument) && !errors.Is(err, errNoDocument) {
			problem = err
		}
	}
	return "", problem
}

var errNoDocument = errors.New("no metadata document")

// readMetadata reads one metadata document; next tells whether another address may have a better one. A server that
// can't be reached, or fails, is not asked for the other documents as well.
func (f *fetcher) readMetadata(ctx context.Context, address string) (found string, next bool, err error) {
	res, err := f.client.Get(ctx, address, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return "", false, err
	}
	if res.Status >= 400 && res.Status < 500 && res.Status != http.StatusTooManyRequests {
		return "", true, fmt.Errorf("status %d: %w", res.Status, errNoDocument)
	}
	if err := res.CheckJSON(); err != nil {
		return "", res.Status == http.StatusOK, err
	}
	found, err = parseDiscovery(res.Body, f.cfg.Issuer, f.cfg.AllowInsecureHTTP)
	return found, true, err
}

// discoveryURLs returns where an issuer's metadata may be: where OpenID Connect Discovery 1.0, Section 4, appends it,
// where RFC 8414, Section 3, inserts it, and the two other combinations, which are in use for issuers with a path.
func discoveryURLs(issuer string) []string {
	const oidc, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	issuer = strings.TrimSuffix(issuer, "/")
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(rest, "/")
	origin := scheme + "://" + host
	if path == "" {
		return []string{origin + oidc, origin + oauth}
	}
	return []string{issuer + oidc, origin + oauth + "/" + path, origin + oidc + "/" + path, issuer + oauth}
}

// parseDiscovery returns jwks_uri from a metadata document of exactly this issuer. A document that spoke for another
// issuer would let that one sign for this (RFC 8414, Section 3.3).
func parseDiscovery(document []byte, issuer string, insecure bool) (string, error) {
	object, err := parseObject(document)
	if err != nil {
		return "", err
	}
	named, err := stringMember(object, "issuer")
	if err != nil || named == "" {
		return "", errors.New("the document names no issuer")
	}
	if named != issuer {
		if strings.TrimSuffix(named, "/") == strings.TrimSuffix(issuer, "/") {
			return "", fmt.Errorf("the document's issuer %q differs from the configured %q only by a trailing slash: "+
				"configure it as the document has it", weburl.Clip(named, 200), weburl.Clip(issuer, 200))
		}
		return "", fmt.Errorf("the document's issuer is %q, not %q", weburl.Clip(named, 200), weburl.Clip(issuer, 200))
	}
	return parseKeySetURL(object, issuer, insecure)
}

func parseKeySetURL(object map[string]json.RawMessage, issuer string, insecure bool) (string, error) {
	address, err := stringMember(object, "jwks_uri")
	if err != nil || address == "" {
		return "", errors.New("the document has no jwks_uri")
	}
	to, err := weburl.Parse(address, insecure)
	if err == nil {
		var from *url.URL
		if from, err = url.Parse(issuer); err == nil {
			err = weburl.CheckStep(from, to, insecure)
		}
	}
	if err != nil {
		return "", fmt.Errorf("jwks_uri %s: %w", weburl.Redact(address), err)
	}
	return address, nil
}
