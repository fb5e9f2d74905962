package middleware

import (
	"strings"
	"time"
)

// A Style is how refusals are answered.
type Style int

const (
	// StyleRFC6750 answers as RFC 6750, Section 3, says: the challenge names the realm, the error and its description,
	// and 403 names the missing scopes. A JSON body repeats the error. Descriptions never contain anything of the
	// token.
	StyleRFC6750 Style = iota

	// StyleASPNET answers as ASP.NET Core's JwtBearer does: no realm unless one is configured, its own descriptions, a
	// bare "Bearer" for a missing token and, without DescribeErrors, for a rejected one, no challenge with 403, no
	// body. What a description repeats of the token is sanitised and truncated, which JwtBearer does not do.
	StyleASPNET
)

// answering is a style as data.
type answering struct {
	realmIsAudience   bool // an empty Realm means the first audience
	body              bool
	challengeScope    bool // 403 has a challenge
	errorAlone        bool // the challenge names the error even without a description
	emptyBearerIsNone bool // "Bearer" without a token is answered like no token
	describe          func(*refusal) string
}

var styles = map[Style]*answering{
	StyleRFC6750: {
		realmIsAudience: true, body: true, challengeScope: true, errorAlone: true,
		describe: func(r *refusal) string { return r.verdict.description },
	},
	StyleASPNET: {emptyBearerIsNone: true, describe: aspnetDescription},
}

// aspnetDescription returns the error_description of ASP.NET Core's JwtBearerHandler, empty where it has none. What it
// repeats of the token is unverified.
func aspnetDescription(r *refusal) string {
	if r.candidate == nil {
		return ""
	}
	c := &r.candidate.claims
	switch r.verdict {
	case verdictExpired:
		return "The token expired at '" + aspnetTime(c.expiry) + "'"
	case verdictNotYetValid:
		return "The token is not valid before '" + aspnetTime(c.notBefore) + "'"
	case verdictNoExpiry:
		return "The token has no expiration"
	case verdictLifetime:
		return "The token lifetime is invalid; NotBefore: '" + aspnetTime(c.notBefore) +
			"', Expires: '" + aspnetTime(c.expiry) + "'"
	case verdictAudience, verdictNoAudience:
		if len(c.aud) == 0 {
			return "The audience 'empty' is invalid"
		}
		return "The audience '" + sanitise(clipASCII(strings.Join(c.aud, ", "))) + "' is invalid"
	case verdictNoIssuer:
		return "The issuer '(null)' is invalid"
	case verdictIssuer:
		return "The issuer '" + sanitise(clipASCII(c.iss)) + "' is invalid"
	case verdictUnknownKey, verdictUnfitKey:
		return "The signature key was not found"
	case verdictSignature, verdictAlgorithm:
		return "The signature is invalid"
	}
	return ""
}

// clipASCII bounds what is repeated of a token in a header, where an ellipsis has no place.
func clipASCII(s string) string {
	if len(s) <= maxRepeated {
		return s
	}
	return s[:maxRepeated] + "..."
}

// aspnetTime is DateTime.ToString(CultureInfo.InvariantCulture).
func aspnetTime(t time.Time) string { return t.UTC().Format("01/02/2006 15:04:05") }
