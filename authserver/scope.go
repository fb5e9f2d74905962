package authserver

import (
	"slices"
	"strings"
)

const (
	scopeOpenID  = "openid"
	scopeOffline = "offline_access"
)

// identityScopes belong to the server itself. The value lists the claims of a scope (OpenID Connect Core, Section 5.4).
var identityScopes = map[string][]string{
	scopeOpenID:  nil,
	scopeOffline: nil,
	"profile": {"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
		"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"},
	"email":   {"email", "email_verified"},
	"phone":   {"phone_number", "phone_number_verified"},
	"address": {"address"},
}

// parseScope splits a scope parameter. ok is false for characters that RFC 6749, Section 3.3, does not allow.
func parseScope(text string) (scopes []string, ok bool) {
	seen := map[string]bool{} // a search of the list for each scope would make 64 KiB of scopes expensive
	for token := range strings.SplitSeq(text, " ") {
		if token == "" || seen[token] {
			continue
		}
		for i := range len(token) {
			if c := token[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
				return nil, false
			}
		}
		seen[token] = true
		scopes = append(scopes, token)
	}
	return scopes, true
}

// subset reports whether every element of a is in b.
func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(x string) bool { return !slices.Contains(b, x) })
}

// intersect returns the elements of a that are in b, in a's order.
func intersect(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return !slices.Contains(b, x) })
}

// overlap reports whether a and b have an element in common.
func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

// requestedScopes returns those scopes of a grant that the request asks for and the client may still have.
func requestedScopes(c *Client, granted []string, p params) ([]string, *oauthError) {
	if p.get("scope") == "" {
		return intersect(granted, c.Scopes), nil
	}
	asked, ok := parseScope(p.get("scope"))
	if !ok || len(asked) == 0 {
		return nil, invalidScope("the scope is malformed")
	}
	if !subset(asked, granted) || !subset(asked, c.Scopes) {
		return nil, invalidScope("the scope goes beyond what was granted")
	}
	return asked, nil
}

// requestedResources returns those resources of a grant that the request asks for and that one of the scopes still
// belongs to. An API that checks only the audience would otherwise accept a token that the client may not have any
// more.
func (s *Server) requestedResources(g *Grant, scopes []string, p params) ([]string, *oauthError) {
	if len(p.resources()) == 0 {
		left := slices.DeleteFunc(slices.Clone(g.Resources), func(res string) bool {
			return !overlap(scopes, s.cfg.Resources[res])
		})
		if len(left) == 0 && len(g.Resources) > 0 { // without a resource the token would be for all resources of the scopes
			return nil, invalidTarget("no scope of the resource is granted")
		}
		return left, nil
	}
	if len(g.Resources) > 0 && !subset(p.resources(), g.Resources) {
		return nil, invalidTarget("the resource goes beyond what was granted")
	}
	if refusal := s.checkResources(p.resources(), scopes); refusal != nil {
		return nil, refusal
	}
	return slices.Clone(p.resources()), nil
}

// checkResources checks a resource parameter (RFC 8707): every value is a known resource, and one of the scopes belongs
// to it.
func (s *Server) checkResources(resources, scopes []string) *oauthError {
	for _, res := range resources {
		own, known := s.cfg.Resources[res]
		if !known {
			return invalidTarget("the resource is unknown")
		}
		if !overlap(scopes, own) {
			return invalidTarget("no scope of the resource is granted")
		}
	}
	return nil
}

// audienceFor returns the audience and the scopes of an access token. If resources were requested, the token is for
// these and has only their scopes. Otherwise it is for every resource that one of the scopes belongs to, or for
// userinfo if there is none.
func (s *Server) audienceFor(scopes, resources []string) (audience, tokenScopes []string) {
	if len(resources) > 0 {
		var own []string
		for _, res := range resources {
			own = append(own, s.cfg.Resources[res]...)
		}
		audience = slices.Compact(slices.Sorted(slices.Values(resources)))
		return audience, intersect(scopes, own)
	}
	for res, own := range s.cfg.Resources {
		if overlap(scopes, own) {
			audience = append(audience, res)
		}
	}
	if len(audience) == 0 {
		return []string{s.url(pathUserInfo)}, scopes
	}
	slices.Sort(audience)
	return audience, scopes
}

// userClaims returns those claims of the user that the scopes give.
func userClaims(u *User, scopes []string) map[string]any {
	claims := map[string]any{}
	for _, scope := range scopes {
		for _, name := range identityScopes[scope] {
			if v, ok := u.Claims[name]; ok {
				claims[name] = v
			}
		}
	}
	return claims
}
