package middleware

import (
	"slices"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/jws"
	"github.com/bearergate/bearergate/jwks"
)

// An Issuer is one authorization server whose tokens are accepted, with its keys and the rules for its tokens. Make it
// with [NewIssuer], which fills in the defaults; [NewConfig] does so for the first one.
//
// A token is routed to its issuer by its iss claim, by exact comparison, before any key is looked up: the keys of one
// issuer never verify a token of another one.
type Issuer struct {
	// Name is the issuer identifier (RFC 8414, Section 2), compared with iss byte for byte. Required.
	// It is an https URL; http is fine on loopback hosts, elsewhere only with [Config.AllowInsecureHTTP].
	Name string

	// Audiences are the names of this resource server. A token is accepted when its aud (a string or an array of
	// strings) contains at least one of them, exactly. Required: a resource server without a name would accept tokens
	// that are meant for others (RFC 8725, Section 3.9).
	Audiences []string

	// Algorithms is the allow-list of signature algorithms (RFC 8725, Section 3.1). NewIssuer sets RS256, PS256, ES256
	// and EdDSA, which is also Ed25519; RS384, RS512, PS384, PS512, ES384 and ES512 are possible as well. The
	// constructors refuse none, HS256, HS384 and HS512: with a shared secret every resource server could issue tokens
	// for all the others.
	Algorithms []string

	// Types are the acceptable values of the header's typ, compared without regard to case and to a leading
	// "application/"; "" stands for a header without typ. Nil means what the Profile says.
	Types []string

	// Profile is the set of rules for the tokens of this issuer. The zero value is [Default].
	Profile Profile

	// RequiredClaims are names of claims that must be present and not null, besides those that the Profile requires.
	RequiredClaims []string

	// ScopeClaims say where scopes are found; the values of all of them are united in [Token.Scopes]. An entry is the
	// name of a top-level claim or, when it begins with a slash, a JSON Pointer (RFC 6901), for example
	// "/realm_access/roles" or "/resource_access/api1/roles" for Keycloak's roles. The claim may be a string, which is
	// divided at spaces, or an array of strings, which is not. NewIssuer sets "scope" and "scp".
	ScopeClaims []string

	// Keys verify the signatures. Nil means discovery: the key set of this issuer is found and fetched when its first
	// token arrives, and followed from then on, see [jwks.NewRemote].
	Keys jwks.KeySource

	// KeySetURL is where the key set is, for issuers without a discovery document. Empty means discovery.
	// It is refused together with Keys.
	KeySetURL string

	// MaxTokenAge rejects tokens that were issued longer ago (by iat, which is then required), whatever their exp
	// says. The clock skew is added to it. 0 means no limit.
	MaxTokenAge time.Duration

	made bool
}

// NewIssuer returns an Issuer with the defaults filled in: the algorithms RS256, PS256, ES256 and EdDSA, the scope
// claims scope and scp, the profile [Default], and keys by discovery. Nothing is checked here; the constructors [New]
// and [NewValidator] check everything.
func NewIssuer(name string, audience ...string) Issuer {
	return Issuer{
		Name:        name,
		Audiences:   append([]string(nil), audience...),
		Algorithms:  []string{"RS256", "PS256", "ES256", "EdDSA"},
		ScopeClaims: []string{"scope", "scp"},
		made:        true,
	}
}

func (i Issuer) clone() Issuer {
	i.Audiences = slices.Clone(i.Audiences)
	i.Algorithms = slices.Clone(i.Algorithms)
	i.Types = slices.Clone(i.Types)
	i.RequiredClaims = slices.Clone(i.RequiredClaims)
	i.ScopeClaims = slices.Clone(i.ScopeClaims)
	return i
}

// acceptableTypes are the acceptable typ, normalised; nil means all.
func (i *Issuer) acceptableTypes() []string {
	if i.Types == nil {
		return profiles[i.Profile].types
	}
	types := make([]string, 0, len(i.Types))
	for _, typ := range i.Types {
		types = append(types, normalType(typ))
	}
	return types
}

// issuer is an Issuer with what is worked out once.
type issuer struct {
	Issuer
	rules         *rules
	types         []string // acceptable typ, normalised
	required      claimBits
	otherRequired []string // required claims that have no bit
	tracksRemoval bool     // the source marks keys that it dropped, see [jwks.Key.Current]
}

// newIssuer works out what validation needs of terms, which were checked before.
func (v *Validator) newIssuer(terms Issuer) (*issuer, error) {
	iss := &issuer{Issuer: terms, rules: profiles[terms.Profile], types: terms.acceptableTypes()}
	for _, name := range slices.Concat(iss.rules.required, terms.RequiredClaims) {
		if bit := bits[name]; bit != 0 {
			iss.required |= bit
		} else if !slices.Contains(iss.otherRequired, name) {
			iss.otherRequired = append(iss.otherRequired, name)
		}
	}
	switch iss.Keys.(type) {
	case *jwks.Remote, *jwks.Set: // a Set never drops a key
		iss.tracksRemoval = true
		return iss, nil
	case nil:
	default:
		return iss, nil
	}
	remote, err := jwks.NewRemote(jwks.RemoteConfig{
		Issuer:            terms.Name,
		URL:               terms.KeySetURL,
		AllowInsecureHTTP: v.cfg.AllowInsecureHTTP,
		Client:            v.cfg.HTTPClient,
		Logger:            v.cfg.Logger,
	})
	if err != nil {
		return nil, &configError{"issuer " + quoteName(terms.Name), err}
	}
	iss.Keys, iss.tracksRemoval = remote, true
	v.closers = append(v.closers, remote)
	return iss, nil
}

// allowsAlgorithm reports whether alg is on the allow-list. EdDSA and Ed25519 are two names of one algorithm (RFC 9864,
// Section 2.2).
func (iss *issuer) allowsAlgorithm(alg string) bool {
	if alg == "Ed25519" && slices.Contains(iss.Algorithms, "EdDSA") ||
		alg == "EdDSA" && slices.Contains(iss.Algorithms, "Ed25519") {
		return true
	}
	return slices.Contains(iss.Algorithms, alg)
}

// acceptsType reports whether h has a typ that tokens of this issuer may have. A typ that is there and empty is never
// one.
func (iss *issuer) acceptsType(h *jws.Header) bool {
	if iss.types == nil {
		return true
	}
	if h.HasType && h.Type == "" {
		return false
	}
	return slices.Contains(iss.types, normalType(h.Type))
}

func (iss *issuer) hasAudience(name string) bool {
	for _, ours := range iss.Audiences {
		if name == ours || iss.rules.ignoreAudSlash && (name+"/" == ours || name == ours+"/") {
			return true
		}
	}
	return false
}

// normalType makes a typ comparable: media types ignore case, and "application/" may be left out (RFC 7515, Section
// 4.1.9). It folds ASCII only.
func normalType(typ string) string {
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, typ)
	if rest, ok := strings.CutPrefix(lower, "application/"); ok && !strings.Contains(rest, "/") {
		return rest
	}
	return lower
}
