package middleware

import (
	"strings"
	"time"
)

// aspnetDate is DateTime.ToString(CultureInfo.InvariantCulture).
const aspnetDate = "01/02/2006 15:04:05"

// aspnetWords returns the error_description of ASP.NET Core's JwtBearerHandler for v, empty where it has none. What it
// repeats of the token is unverified: it is sanitised and truncated here, which JwtBearer does not do.
func aspnetWords(v *verdict, c *claimSet) string {
	switch v {
	case verdictExpired:
		return "The token expired at '" + aspnetTime(c.expiry) + "'"
	case verdictNotYetValid:
		return "The token is not valid before '" + aspnetTime(c.notBefore) + "'"
	case verdictNoExpiry:
		return "The token has no expiration"
	case verdictLifetime:
		return "The token lifetime is invalid; NotBefore: '" + aspnetTime(c.notBefore) + "', Expires: '" + aspnetTime(c.expiry) + "'"
	case verdictNoAudience:
		return "The audience 'empty' is invalid"
	case verdictAudience:
		names := stringsOf(nil, c.aud, false)
		if len(names) == 0 {
			return "The audience 'empty' is invalid"
		}
		return "The audience '" + sanitise(truncate(strings.Join(names, ", "))) + "' is invalid"
	case verdictNoIssuer:
		return "The issuer '(null)' is invalid"
	case verdictIssuer:
		return "The issuer '" + sanitise(truncate(c.iss)) + "' is invalid"
	case verdictUnknownKey, verdictUnfitKey:
		return "The signature key was not found"
	case verdictSignature, verdictAlgorithm:
		return "The signature is invalid"
	}
	return ""
}

func aspnetTime(t time.Time) string { return t.UTC().Format(aspnetDate) }
