package middleware_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// aspnet is the profile and the style with the skew that ASP.NET Core has, and more settings.
func aspnet(more ...setting) setting {
	return all(append([]setting{profile(middleware.ASPNET), style(middleware.StyleASPNET), skew(5 * time.Minute)}, more...)...)
}

// frozen asks at 2021-06-16 05:00:00 with a token that expires at 05:16:01 that day; then the clock moves on.
func frozen(later time.Duration, mods ...authtest.Mod) asking {
	return func(w *world) *http.Request {
		w.iss.Advance(time.Date(2021, 6, 16, 5, 0, 0, 0, time.UTC).Sub(w.iss.Now()))
		r := w.iss.Request("GET", "/", append([]authtest.Mod{authtest.ExpiresIn(16*time.Minute + time.Second)}, mods...)...)
		w.iss.Advance(later)
		return r
	}
}

const end = 16*time.Minute + time.Second + 5*time.Minute // exp and the skew

func dotnet(description string) string {
	return `Bearer error="invalid_token", error_description="` + description + `"`
}

const bare = `Bearer error="invalid_token"`

// The profile ASPNET: what ASP.NET Core's JwtBearer accepts and says.
var aspnetPolicies = []policy{
	{"no token", aspnet(), header(), 401, "no_token", "Bearer"},
	{"another scheme", aspnet(), header("Basic YTpi"), 401, "no_token", "Bearer"},
	{"Bearer and nothing", aspnet(), header("Bearer "), 401, "no_token", "Bearer"},
	{"no token, with a realm", aspnet(realm("api1")), header(), 401, "no_token", `Bearer realm="api1"`},
	{"good", aspnet(), frozen(0), 200, "accepted", nothing},
	{"at exp", aspnet(), frozen(16*time.Minute + time.Second), 200, "accepted", nothing},
	{"at exp+skew: inclusive", aspnet(), frozen(end), 200, "accepted", nothing},
	{"a nanosecond after exp+skew", aspnet(), frozen(end + 1), 401, "expired", dotnet("The token expired at '06/16/2021 05:16:01'")},
	{"skew 0, at exp", aspnet(skew(0)), frozen(16*time.Minute + time.Second), 200, "accepted", nothing},
	{"skew 0, a nanosecond after exp", aspnet(skew(0)), frozen(16*time.Minute + time.Second + 1), 401, "expired", dotnet("The token expired at '06/16/2021 05:16:01'")},
	{"expired, with a realm", aspnet(realm("api1")), frozen(end + 1), 401, "expired", `Bearer realm="api1", error="invalid_token", error_description="The token expired at '06/16/2021 05:16:01'"`},
	{"expired, without details", aspnet(with(func(c *middleware.Config) { c.DescribeErrors = false })), frozen(end + 1), 401, "expired", "Bearer"},
	{"not yet valid", aspnet(), frozen(0, authtest.Claim("nbf", 1623820561+1), authtest.ExpiresIn(time.Hour)), 401, "not_yet_valid", dotnet("The token is not valid before '06/16/2021 05:16:02'")},
	{"nbf at now+skew", aspnet(), frozen(0, authtest.Claim("nbf", 1623819600+300)), 200, "accepted", nothing},
	{"no exp", aspnet(), frozen(0, authtest.Without("exp")), 401, "no_expiry", dotnet("The token has no expiration")},
	{"no exp where it is not required", aspnet(with(optionalExp)), frozen(0, authtest.Without("exp")), 200, "accepted", nothing},
	{"nbf later than exp", aspnet(), frozen(0, authtest.Claim("nbf", 1623820561), authtest.Claim("exp", 1623734161)), 401, "invalid_lifetime", dotnet("The token lifetime is invalid; NotBefore: '06/16/2021 05:16:01', Expires: '06/15/2021 05:16:01'")},
	{"a future iat: ignored", aspnet(), frozen(0, authtest.Claim("iat", 4102444800)), 200, "accepted", nothing},
	{"another audience", aspnet(), frozen(0, authtest.Audience("a", "b")), 401, "wrong_audience", dotnet("The audience 'a, b' is invalid")},
	{"no audience", aspnet(), frozen(0, authtest.Without("aud")), 401, "wrong_audience", dotnet("The audience 'empty' is invalid")},
	{"an empty list of audiences", aspnet(), frozen(0, authtest.Claim("aud", []string{})), 401, "wrong_audience", dotnet("The audience 'empty' is invalid")},
	{"an audience with a slash more", aspnet(), frozen(0, authtest.Audience("api1/")), 200, "accepted", nothing},
	{"an audience with a slash less", aspnet(audiencesOnly("https://api.test/")), frozen(0, authtest.Audience("https://api.test")), 200, "accepted", nothing},
	{"an audience with two slashes more", aspnet(), frozen(0, authtest.Audience("api1//")), 401, "wrong_audience", dotnet("The audience 'api1//' is invalid")},
	{"an audience that injects: sanitised", aspnet(), frozen(0, authtest.Audience("x\", y=\"\r\nSet-Cookie: z\\é")), 401, "wrong_audience", dotnet(`The audience 'x', y='??Set-Cookie: z??' is invalid`)},
	{"an audience without end: truncated", aspnet(), frozen(0, authtest.Audience(strings.Repeat("a", 5000))), 401, "wrong_audience", dotnet("The audience '" + strings.Repeat("a", 128) + "...' is invalid")},
	{"expired and for others: the lifetime comes first", aspnet(), frozen(end+1, authtest.Audience("x")), 401, "expired", dotnet("The token expired at '06/16/2021 05:16:01'")},
	{"another issuer", aspnet(), frozen(0, authtest.IssuedBy("https://evil/")), 401, "unknown_issuer", dotnet("The issuer 'https://evil/' is invalid")},
	{"an issuer that injects: sanitised", aspnet(), frozen(0, authtest.IssuedBy(`https://evil" x="`)), 401, "unknown_issuer", dotnet("The issuer 'https://evil' x='' is invalid")},
	{"no issuer", aspnet(), frozen(0, authtest.Without("iss")), 401, "unknown_issuer", dotnet("The issuer '(null)' is invalid")},
	{"an unknown key", aspnet(), frozen(0, authtest.Header("kid", "x")), 401, "unknown_key", dotnet("The signature key was not found")},
	{"an expired token with an unknown key: expired", aspnet(), frozen(end+1, authtest.Header("kid", "x")), 401, "expired", dotnet("The token expired at '06/16/2021 05:16:01'")},
	{"a bad signature", aspnet(), segment(2, to(zeros(64))), 401, "invalid_signature", dotnet("The signature is invalid")},
	{"alg none", aspnet(), headed(`{"alg":"none","kid":"KID"}`), 401, "algorithm_not_allowed", dotnet("The signature is invalid")},
	{"a malformed token: no words", aspnet(), text(to("x.y.z")), 401, "malformed", bare},
	{"a token too large: no words", aspnet(), text(to(strings.Repeat("A", 20000))), 401, "too_large", bare},
	{"any typ", aspnet(), mint(authtest.Header("typ", "logout+jwt")), 200, "accepted", nothing},
	{"a typ that is not configured: no words", aspnet(types("at+jwt")), mint(authtest.Header("typ", "JWT")), 401, "type_not_allowed", bare},
	{"exp a string: parsing stays strict", aspnet(), exp(`"32503680000"`), 401, "malformed_claim", bare},
	{"a missing scope: 403 without a challenge", aspnet(needs("api1")), mint(), 403, "insufficient_scope", nothing},
	{"refused by Check: no words", aspnet(check(errRevoked)), mint(), 401, "refused_by_check", bare},
	{"the issuer is down", aspnet(func(w *world) { w.iss.Outage(true) }), mint(), 503, "keys_unavailable", nothing},
}
