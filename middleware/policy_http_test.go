package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/bearergate/bearergate/middleware"
)

const twoTokens = "The request carries more than one access token"

// header asks with this Authorization header; TOKEN stands for a good token.
func header(values ...string) asking {
	return request("GET", func(r *http.Request, good string) {
		for _, v := range values {
			r.Header.Add("Authorization", strings.ReplaceAll(v, "TOKEN", good))
		}
	})
}

// form asks with a body; TOKEN stands for a good token.
func form(method, contentType, text string) asking {
	return func(w *world) *http.Request {
		r := httptest.NewRequest(method, "/", strings.NewReader(strings.ReplaceAll(text, "TOKEN", w.iss.Token())))
		r.Header.Set("Content-Type", contentType)
		return r
	}
}

// query asks with a query; TOKEN stands for a good token.
func query(method, text string) asking {
	return request(method, func(r *http.Request, good string) { r.URL.RawQuery = strings.ReplaceAll(text, "TOKEN", good) })
}

// cookies asks with a Cookie header; TOKEN stands for a good token.
func cookies(text string) asking {
	return request("GET", func(r *http.Request, good string) { r.Header.Set("Cookie", strings.ReplaceAll(text, "TOKEN", good)) })
}

// more asks with something added.
func more(ask asking, change func(r *http.Request)) asking {
	return func(w *world) *http.Request {
		r := ask(w)
		change(r)
		return r
	}
}

func preflight(method string, headers ...string) asking {
	return func(*world) *http.Request {
		r := httptest.NewRequest(method, "/", nil)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		return r
	}
}

const urlencoded = "application/x-www-form-urlencoded"

var (
	fromCookie = reading(middleware.FromAuthorization, middleware.FromCookie("session"))
	fromForm   = reading(middleware.FromAuthorization, middleware.FromForm)
	fromQuery  = reading(middleware.FromAuthorization, middleware.FromQuery)
)

// reading finds the token in one of these ways.
func reading(readers ...func(*http.Request) (string, error)) setting {
	return with(func(c *middleware.Config) { c.Credentials = middleware.OneOf(readers...) })
}

var fromAssertion = with(func(c *middleware.Config) { c.Credentials = middleware.FromHeader("Cf-Access-Jwt-Assertion") })

// assertion asks with a header by name; TOKEN stands for a good token.
func assertion(values ...string) asking {
	return request("GET", func(r *http.Request, good string) {
		for _, v := range values {
			r.Header.Add("Cf-Access-Jwt-Assertion", strings.ReplaceAll(v, "TOKEN", good))
		}
	})
}

func ownReader(token string, err error) setting {
	return with(func(c *middleware.Config) { c.Credentials = func(*http.Request) (string, error) { return token, err } })
}

func returnsNothing(*http.Request) (string, error) { return "", nil }

func optional(c *middleware.Config) { c.Optional = true }

// Where the token is found (RFC 6750, Section 2).
var httpPolicies = []policy{
	// Authorization
	{"no Authorization header", nil, header(), 401, "no_token", challenge},
	{"Bearer", nil, header("Bearer TOKEN"), 200, "accepted", nothing},
	{"bearer", nil, header("bearer TOKEN"), 200, "accepted", nothing},
	{"BEARER", nil, header("BEARER TOKEN"), 200, "accepted", nothing},
	{"bEaReR", nil, header("bEaReR TOKEN"), 200, "accepted", nothing},
	{"several spaces", nil, header("Bearer    TOKEN"), 200, "accepted", nothing},
	{"a tab in place of the space", nil, header("Bearer\tTOKEN"), 401, "no_token", challenge},
	{"a space behind", nil, header("Bearer TOKEN "), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a space in front: no scheme", nil, header(" Bearer TOKEN"), 401, "no_token", challenge},
	{"Bearer and nothing", nil, header("Bearer"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"Bearer and spaces", nil, header("Bearer   "), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"an empty header", nil, header(""), 401, "no_token", challenge},
	{"the token without a scheme", nil, header("TOKEN"), 401, "no_token", challenge},
	{"Basic", nil, header("Basic YWxpY2U6c2VjcmV0"), 401, "no_token", challenge},
	{"DPoP with a good token", nil, header("DPoP TOKEN"), 401, "no_token", challenge},
	{"Token with a good token", nil, header("Token TOKEN"), 401, "no_token", challenge},
	{"Bearer: with a colon", nil, header("Bearer: TOKEN"), 401, "no_token", challenge},
	{"Bearers", nil, header("Bearers TOKEN"), 401, "no_token", challenge},
	{"a parameter in place of a token", nil, header("Bearer token=TOKEN"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a quoted token", nil, header(`Bearer "TOKEN"`), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"two schemes in one header", nil, header("Bearer TOKEN, Basic YWxpY2U6c2VjcmV0"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"two Authorization headers", nil, header("Bearer TOKEN", "Bearer TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"two Authorization headers, the first for others", nil, header("Basic YWxpY2U6c2VjcmV0", "Bearer TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"a good token by POST", nil, request("POST", func(r *http.Request, good string) { r.Header.Set("Authorization", "Bearer "+good) }), 200, "accepted", nothing},
	{"a good token by an unusual method", nil, request("PROPFIND", func(r *http.Request, good string) { r.Header.Set("Authorization", "Bearer "+good) }), 200, "accepted", nothing},
	// A header by name
	{"a header by name", fromAssertion, assertion("TOKEN"), 200, "accepted", nothing},
	{"a header by name, and the token in Authorization", fromAssertion, header("Bearer TOKEN"), 401, "no_token", challenge},
	{"a header by name, empty", fromAssertion, assertion(""), 401, "no_token", challenge},
	{"a header by name, with a scheme", fromAssertion, assertion("Bearer TOKEN"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a header by name, twice", fromAssertion, assertion("TOKEN", "TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"a reader of one's own, which finds none", ownReader("", middleware.ErrNoToken), header("Bearer TOKEN"), 401, "no_token", challenge},
	{"a reader of one's own, which returns nothing at all", ownReader("", nil), header("Bearer TOKEN"), 401, "no_token", challenge},
	{"two ways, of which a reader of one's own returns nothing at all", reading(returnsNothing, middleware.FromAuthorization), header("Bearer TOKEN"), 200, "accepted", nothing},
	{"a reader of one's own, which fails", ownReader("", errRevoked), header("Bearer TOKEN"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a reader of one's own, which finds a request malformed", ownReader("", fmt.Errorf("x: %w", middleware.ErrInvalidRequest)), header("Bearer TOKEN"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	// Cookie
	{"a cookie where none is configured", nil, cookies("session=TOKEN"), 401, "no_token", challenge},
	{"a cookie", fromCookie, cookies("session=TOKEN"), 200, "accepted", nothing},
	{"a cookie among others", fromCookie, cookies("a=b; session=TOKEN; c=d"), 200, "accepted", nothing},
	{"another cookie", fromCookie, cookies("sess=TOKEN"), 401, "no_token", challenge},
	{"the cookie in another case", fromCookie, cookies("Session=TOKEN"), 401, "no_token", challenge},
	{"the cookie empty", fromCookie, cookies("session="), 401, "no_token", challenge},
	{"the cookie twice", fromCookie, cookies("session=TOKEN; session=TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"the cookie with something else", fromCookie, cookies("session=a%20b"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"header and cookie", fromCookie, more(header("Bearer TOKEN"), func(r *http.Request) { r.Header.Set("Cookie", "session=x.y.z") }), 400, "multiple_tokens", badRequest(twoTokens)},
	{"a header for others and the cookie", fromCookie, more(cookies("session=TOKEN"), func(r *http.Request) { r.Header.Set("Authorization", "Basic eDp5") }), 200, "accepted", nothing},
	// Form
	{"a form where none is configured", nil, form("POST", urlencoded, "access_token=TOKEN"), 401, "no_token", challenge},
	{"a form", fromForm, form("POST", urlencoded, "a=b&access_token=TOKEN"), 200, "accepted", nothing},
	{"a form by PUT", fromForm, form("PUT", urlencoded, "access_token=TOKEN"), 200, "accepted", nothing},
	{"a form with a charset", fromForm, form("POST", urlencoded+"; charset=UTF-8", "access_token=TOKEN"), 200, "accepted", nothing},
	{"a form by GET, which gives the body no meaning", fromForm, form("GET", urlencoded, "access_token=TOKEN"), 401, "no_token", challenge},
	{"a form by DELETE", fromForm, form("DELETE", urlencoded, "access_token=TOKEN"), 401, "no_token", challenge},
	{"a form of several parts", fromForm, form("POST", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=access_token\r\n\r\nTOKEN\r\n--x--"), 401, "no_token", challenge},
	{"JSON", fromForm, form("POST", "application/json", `{"access_token":"TOKEN"}`), 401, "no_token", challenge},
	{"a form without the parameter", fromForm, form("POST", urlencoded, "a=b"), 401, "no_token", challenge},
	{"a form with the parameter twice", fromForm, form("POST", urlencoded, "access_token=TOKEN&access_token=TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"a form with the parameter empty", fromForm, form("POST", urlencoded, "access_token="), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a form that can't be read", fromForm, form("POST", urlencoded, "a=%zz"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a form whose query has it", fromForm, more(form("POST", urlencoded, "a=b"), func(r *http.Request) { r.URL.RawQuery = "access_token=x.y.z" }), 401, "no_token", challenge},
	{"header and form", fromForm, more(form("POST", urlencoded, "access_token=TOKEN"), func(r *http.Request) { r.Header.Set("Authorization", "Bearer x.y.z") }), 400, "multiple_tokens", badRequest(twoTokens)},
	// Query
	{"the query where it is not configured", nil, query("GET", "access_token=TOKEN"), 401, "no_token", challenge},
	{"the query", fromQuery, query("GET", "a=b&access_token=TOKEN"), 200, "accepted", nothing},
	{"the query by POST", fromQuery, query("POST", "access_token=TOKEN"), 200, "accepted", nothing},
	{"the query with the name escaped", fromQuery, query("GET", "access%5ftoken=TOKEN"), 200, "accepted", nothing},
	{"the query in another case", fromQuery, query("GET", "Access_Token=TOKEN"), 401, "no_token", challenge},
	{"the query with the parameter twice", fromQuery, query("GET", "access_token=TOKEN&access_token=TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"the query with the parameter empty", fromQuery, query("GET", "access_token="), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"header and query", fromQuery, more(header("Bearer TOKEN"), func(r *http.Request) { r.URL.RawQuery = "access_token=x.y.z" }), 400, "multiple_tokens", badRequest(twoTokens)},
	{"header, and a query that is not configured", nil, more(header("Bearer TOKEN"), func(r *http.Request) { r.URL.RawQuery = "access_token=x.y.z" }), 200, "accepted", nothing},
	{"form and query", reading(middleware.FromAuthorization, middleware.FromForm, middleware.FromQuery), more(form("POST", urlencoded, "access_token=TOKEN"), func(r *http.Request) { r.URL.RawQuery = "access_token=x.y.z" }), 400, "multiple_tokens", badRequest(twoTokens)},
	// Optional
	{"optional, and absent", with(optional), header(), 200, "no_token", nothing},
	{"optional, and another scheme", with(optional), header("Basic YWxpY2U6c2VjcmV0"), 200, "no_token", nothing},
	{"optional, and good", with(optional), header("Bearer TOKEN"), 200, "accepted", nothing},
	{"optional, and a reader of one's own finds none", all(with(optional), ownReader("", fmt.Errorf("x: %w", middleware.ErrNoToken))), header(), 200, "no_token", nothing},
	{"optional, and a reader of one's own fails", all(with(optional), ownReader("", errRevoked)), header(), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"optional, and bad", with(optional), header("Bearer x.y.z"), 401, "malformed", invalid(malformedToken)},
	{"optional, and malformed", with(optional), header("Bearer"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"optional, and two", with(optional), header("Bearer TOKEN", "Bearer TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"optional, but the route needs a scope", all(with(optional), needs("a")), header(), 401, "no_token", challenge},
	{"optional, but the route needs any token", all(with(optional), needs()), header(), 401, "no_token", challenge},
	// Preflights carry no token: whoever answers them stands in front of this
	{"a preflight", nil, preflight("OPTIONS", "Origin: https://spa.test", "Access-Control-Request-Method: POST"), 401, "no_token", challenge},
	{"OPTIONS without Origin", nil, preflight("OPTIONS", "Access-Control-Request-Method: POST"), 401, "no_token", challenge},
	{"OPTIONS without Access-Control-Request-Method", nil, preflight("OPTIONS", "Origin: https://spa.test"), 401, "no_token", challenge},
	{"a GET that looks like a preflight", nil, preflight("GET", "Origin: https://spa.test", "Access-Control-Request-Method: POST"), 401, "no_token", challenge},
	{"a preflight with a bad token", nil, preflight("OPTIONS", "Origin: https://spa.test", "Access-Control-Request-Method: POST", "Authorization: Bearer x.y.z"), 401, "malformed", invalid(malformedToken)},
}
