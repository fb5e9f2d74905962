package authserver

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

var errNoClient = errors.New("authserver: no client is named")

// authenticate returns the client that sends the request. It may use exactly one mechanism (RFC 6749, Section 2.3):
// with two, a proxy, a log and the server could each believe another one.
func (s *Server) authenticate(r *http.Request, p params) (*Client, *oauthError) {
	basic := len(r.Header.Values("Authorization")) > 0
	post := p.get("client_secret") != ""
	assertion := p.get("client_assertion") != "" || p.get("client_assertion_type") != ""
	used := 0
	for _, u := range []bool{basic, post, assertion} {
		if u {
			used++
		}
	}
	if used > 1 || len(r.Header.Values("Authorization")) > 1 {
		return nil, invalidRequest("more than one client authentication mechanism is used")
	}
	switch {
	case assertion:
		return s.authenticateAssertion(r.Context(), p)
	case basic:
		id, secret, ok := basicCredentials(r.Header.Get("Authorization"))
		if !ok {
			err := errors.New("authserver: the Authorization header is not Basic credentials")
			return nil, s.clientFailed(r.Context(), "", err)
		}
		if named := p.get("client_id"); named != "" && named != id {
			return nil, invalidRequest("client_id differs from the Authorization header")
		}
		return s.authenticateSecret(r.Context(), id, secret)
	default:
		id := p.get("client_id")
		if id == "" {
			return nil, invalidClient(errNoClient)
		}
		return s.authenticateSecret(r.Context(), id, p.get("client_secret"))
	}
}

// authenticateSecret checks a secret. A client that sends none must be public.
func (s *Server) authenticateSecret(ctx context.Context, id, secret string) (*Client, *oauthError) {
	c, err := s.client(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, s.clientFailed(ctx, id, errors.New("authserver: unknown client"))
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if secret == "" {
		if !c.public() {
			return nil, s.clientFailed(ctx, id, errors.New("authserver: a confidential client without credentials"))
		}
		return c, nil
	}
	ok := false
	now := s.now()
	for _, known := range c.Secrets {
		if known.matches(secret, now) {
			ok = true
		}
	}
	if !ok {
		return nil, s.clientFailed(ctx, id, errors.New("authserver: wrong, expired or unexpected client secret"))
	}
	return c, nil
}

func (s *Server) clientFailed(ctx context.Context, id string, cause error) *oauthError {
	s.event(ctx, Event{Kind: "client.failed", ClientID: id, Reason: strings.TrimPrefix(cause.Error(), "authserver: ")})
	return invalidClient(cause)
}

// basicCredentials reads an Authorization header. Id and secret are form-urlencoded inside the base64 (RFC 6749,
// Section 2.3.1), so that they can have a colon or a space. A space that is not encoded is accepted too.
func basicCredentials(header string) (id, secret string, ok bool) {
	scheme, enc, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(enc, " "))
	if err != nil {
		return "", "", false
	}
	id, secret, found = strings.Cut(string(raw), ":")
	if !found {
		return "", "", false
	}
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	return id, secret, err1 == nil && err2 == nil && id != ""
}
