package authserver

import (
	"encoding/json"
	"net/http"
	"slices"
)

// signatureAlgorithms are the names that [jwks.Supported] knows, in the order in which metadata lists them.
var signatureAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
	"EdDSA", "Ed25519"}

// metadata returns the document of RFC 8414, Section 2, and of OpenID Connect Discovery, Section 3: one serves both. No
// member is registered for /auth/refreshtoken and /revoked, so it has neither; the package documentation describes
// them.
func (s *Server) metadata() map[string]any {
	scopes := []string{}
	for name := range identityScopes {
		scopes = append(scopes, name)
	}
	for _, own := range s.cfg.Resources {
		scopes = append(scopes, own...)
	}
	slices.Sort(scopes)
	claims := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "acr", "amr"}
	for _, names := range identityScopes {
		claims = append(claims, names...)
	}
	slices.Sort(claims)
	auth := []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
	return map[string]any{
		"issuer":                                s.cfg.Issuer,
		"authorization_endpoint":                s.url(pathAuthorize),
		"token_endpoint":                        s.url(pathToken),
		"revocation_endpoint":                   s.url(pathRevoke),
		"introspection_endpoint":                s.url(pathIntrospect),
		"userinfo_endpoint":                     s.url(pathUserInfo),
		"end_session_endpoint":                  s.url(pathEndSession),
		"jwks_uri":                              s.url(pathKeys),
		"scopes_supported":                      slices.Compact(scopes),
		"claims_supported":                      slices.Compact(claims),
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query", "form_post"},
		"grant_types_supported":                 []string{grantTypeCode, grantTypeRefresh, grantTypeCredentials},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{s.keys.Algorithm()},
		"code_challenge_methods_supported":      []string{"S256"},

		"token_endpoint_auth_methods_supported":                    auth,
		"token_endpoint_auth_signing_alg_values_supported":         signatureAlgorithms,
		"revocation_endpoint_auth_methods_supported":               auth,
		"revocation_endpoint_auth_signing_alg_values_supported":    signatureAlgorithms,
		"introspection_endpoint_auth_methods_supported":            auth[:3],
		"introspection_endpoint_auth_signing_alg_values_supported": signatureAlgorithms,

		"prompt_values_supported":                        []string{"none", "login"},
		"claims_parameter_supported":                     false,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
		"authorization_response_iss_parameter_supported": true,
	}
}

// discovery answers with the metadata document. It is public: scripts of any origin may read it.
func (s *Server) discovery(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the method is not GET", http.StatusMethodNotAllowed)
		return
	}
	body, err := json.Marshal(s.metadata())
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write(append(body, '\n'))
}
