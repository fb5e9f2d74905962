package middleware_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

const (
	expired     = "The access token expired"
	noExpiry    = "The access token has no expiration time"
	notYetValid = "The access token is not valid yet"
	badLifetime = "The lifetime of the access token is invalid"
	future      = "The access token was issued in the future"
	tooOld      = "The access token is too old"
)

func itoa(n int) string { return strconv.Itoa(n) }

// at sets a claim to a moment that many seconds after the issuer's now, with a fraction in decimals.
func at(claim string, seconds int, fraction string) asking {
	return func(w *world) *http.Request {
		value := strconv.FormatInt(w.iss.Now().Unix()+int64(seconds), 10) + fraction
		mods := []authtest.Mod{authtest.Claim(claim, json.RawMessage(value))}
		if claim != "nbf" {
			mods = append(mods, authtest.Without("nbf"))
		}
		return w.iss.Request("GET", "/", mods...)
	}
}

// exp asks with an exp that is this text.
func exp(text string) asking { return claiming(`"exp":`+text, "exp", "nbf", "iat") }

func maxAge(d time.Duration) setting {
	return with(func(c *middleware.Config) { c.Issuer.MaxTokenAge = d })
}

func optionalExp(c *middleware.Config) { c.RequireExpirationTime = false }

// Step 4, time. Tokens live five minutes here, and the skew is a minute.
var timePolicies = []policy{
	// exp
	{"at once", nil, late(0), 200, "accepted", nothing},
	{"a second before exp", nil, late(5*time.Minute - time.Second), 200, "accepted", nothing},
	{"at exp, inside the skew", nil, late(5 * time.Minute), 200, "accepted", nothing},
	{"a nanosecond before exp+skew", nil, late(6*time.Minute - 1), 200, "accepted", nothing},
	{"at exp+skew", nil, late(6 * time.Minute), 401, "expired", invalid(expired)},
	{"a nanosecond after exp+skew", nil, late(6*time.Minute + 1), 401, "expired", invalid(expired)},
	{"a year later", nil, late(365 * 24 * time.Hour), 401, "expired", invalid(expired)},
	{"skew 0: a nanosecond before exp", skew(0), late(5*time.Minute - 1), 200, "accepted", nothing},
	{"skew 0: at exp", skew(0), late(5 * time.Minute), 401, "expired", invalid(expired)},
	{"skew 300 s: a nanosecond before exp+skew", skew(5 * time.Minute), late(10*time.Minute - 1), 200, "accepted", nothing},
	{"skew 300 s: at exp+skew", skew(5 * time.Minute), late(10 * time.Minute), 401, "expired", invalid(expired)},
	{"exp a decimal: before the fraction", skew(0), at("exp", 0, ".000000001"), 200, "accepted", nothing},
	{"exp a decimal: at the fraction", skew(0), at("exp", 0, ".000000000"), 401, "expired", invalid(expired)},
	{"exp a decimal of ten places: what is finer than a nanosecond is cut off", skew(0), at("exp", 0, ".0000000009"), 401, "expired", invalid(expired)},
	{"exp with an exponent", nil, exp("3.25036800E10"), 200, "accepted", nothing},
	{"exp with a negative exponent", nil, exp("32503680000000e-3"), 200, "accepted", nothing},
	{"exp 0: not as if absent", nil, exp("0"), 401, "expired", invalid(expired)},
	{"exp 0 where exp is not required", with(optionalExp), exp("0"), 401, "expired", invalid(expired)},
	{"exp the last second of 9999", nil, exp("253402300799"), 200, "accepted", nothing},
	{"exp the year 10000", nil, exp("253402300800"), 401, "malformed_claim", invalid(malformedToken)},
	{"exp 1e18", nil, exp("1e18"), 401, "malformed_claim", invalid(malformedToken)},
	{"exp the greatest int64", nil, exp("9223372036854775807"), 401, "malformed_claim", invalid(malformedToken)},
	{"exp 1e300", nil, exp("1e300"), 401, "malformed_claim", invalid(malformedToken)},
	{"exp 1e400", nil, exp("1e400"), 401, "malformed_payload", invalid(malformedToken)},
	{"exp negative", nil, exp("-1"), 401, "malformed_claim", invalid(malformedToken)},
	{"exp minus zero", nil, exp("-0"), 401, "malformed_claim", invalid(malformedToken)},
	{"exp a string", nil, exp(`"32503680000"`), 401, "malformed_claim", invalid(malformedToken)},
	{"exp a date", nil, exp(`"3000-01-01T00:00:00Z"`), 401, "malformed_claim", invalid(malformedToken)},
	{"exp null", nil, exp(`null`), 401, "malformed_claim", invalid(malformedToken)},
	{"exp null where exp is not required", with(optionalExp), exp(`null`), 401, "malformed_claim", invalid(malformedToken)},
	{"exp true", nil, exp(`true`), 401, "malformed_claim", invalid(malformedToken)},
	{"exp an array", nil, exp(`[32503680000]`), 401, "malformed_claim", invalid(malformedToken)},
	{"exp in milliseconds", nil, exp("1800000000000"), 401, "malformed_claim", invalid(malformedToken)},
	{"exp empty", nil, exp(`""`), 401, "malformed_claim", invalid(malformedToken)},
	{"no exp", nil, mint(authtest.Without("exp")), 401, "no_expiry", invalid(noExpiry)},
	{"no exp where it is not required", with(optionalExp), mint(authtest.Without("exp")), 200, "accepted", nothing},
	// nbf
	{"nbf now", nil, at("nbf", 0, ""), 200, "accepted", nothing},
	{"nbf at now+skew", nil, at("nbf", 60, ""), 200, "accepted", nothing},
	{"nbf a nanosecond beyond now+skew", nil, at("nbf", 60, ".000000001"), 401, "not_yet_valid", invalid(notYetValid)},
	{"nbf in ten minutes", nil, mint(authtest.NotYetValid), 401, "not_yet_valid", invalid(notYetValid)},
	{"skew 0: nbf at now", skew(0), at("nbf", 0, ""), 200, "accepted", nothing},
	{"skew 0: nbf a nanosecond from now", skew(0), at("nbf", 0, ".000000001"), 401, "not_yet_valid", invalid(notYetValid)},
	{"no nbf", nil, mint(authtest.Without("nbf")), 200, "accepted", nothing},
	{"nbf a string", nil, claiming(`"nbf":"0"`, "nbf"), 401, "malformed_claim", invalid(malformedToken)},
	{"nbf null", nil, claiming(`"nbf":null`, "nbf"), 401, "malformed_claim", invalid(malformedToken)},
	{"nbf equal to exp", nil, claiming(`"nbf":32503680000,"exp":32503680000`, "nbf", "exp"), 401, "not_yet_valid", invalid(notYetValid)},
	{"nbf later than exp", nil, claiming(`"nbf":32503680001,"exp":32503680000`, "nbf", "exp"), 401, "invalid_lifetime", invalid(badLifetime)},
	{"nbf later than exp by a fraction", nil, claiming(`"nbf":32503680000.1,"exp":32503680000`, "nbf", "exp"), 401, "invalid_lifetime", invalid(badLifetime)},
	// iat
	{"no iat", nil, mint(authtest.Without("iat")), 200, "accepted", nothing},
	{"iat at now+skew", nil, at("iat", 60, ""), 200, "accepted", nothing},
	{"iat a nanosecond beyond now+skew", nil, at("iat", 60, ".000000001"), 401, "issued_in_future", invalid(future)},
	{"iat in a year", nil, at("iat", 365*24*3600, ""), 401, "issued_in_future", invalid(future)},
	{"iat a string", nil, claiming(`"iat":"0"`, "iat"), 401, "malformed_claim", invalid(malformedToken)},
	{"iat negative", nil, claiming(`"iat":-5`, "iat"), 401, "malformed_claim", invalid(malformedToken)},
	// age
	{"max age: exactly as old, and the skew", maxAge(2 * time.Minute), late(3 * time.Minute), 200, "accepted", nothing},
	{"max age: a nanosecond older", maxAge(2 * time.Minute), late(3*time.Minute + 1), 401, "too_old", invalid(tooOld)},
	{"max age and no iat", maxAge(2 * time.Minute), mint(authtest.Without("iat")), 401, "missing_claim", invalid(missing)},
	{"max age and an exp that is far", maxAge(time.Hour), late(2*time.Hour, authtest.ExpiresIn(24*time.Hour)), 401, "too_old", invalid(tooOld)},
	{"max age with skew 0", all(maxAge(time.Minute), skew(0)), late(time.Minute + 1), 401, "too_old", invalid(tooOld)},
}
