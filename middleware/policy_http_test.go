package middleware_test

import (
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

func allowForm(c *middleware.Config)      { c.AllowForm = true }
func allowQuery(c *middleware.Config)     { c.AllowQuery = true }
func allowCookie(c *middleware.Config)    { c.Cookie = "session" }
func optional(c *middleware.Config)       { c.Optional = true }
func allowPreflight(c *middleware.Config) { c.AllowPreflight = true }

// Where the token is found (RFC 6750 §2).
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
	// Cookie
	{"a cookie where none is configured", nil, cookies("session=TOKEN"), 401, "no_token", challenge},
	{"a cookie", with(allowCookie), cookies("session=TOKEN"), 200, "accepted", nothing},
	{"a cookie among others", with(allowCookie), cookies("a=b; session=TOKEN; c=d"), 200, "accepted", nothing},
	{"another cookie", with(allowCookie), cookies("sess=TOKEN"), 401, "no_token", challenge},
	{"the cookie in another case", with(allowCookie), cookies("Session=TOKEN"), 401, "no_token", challenge},
	{"the cookie empty", with(allowCookie), cookies("session="), 401, "no_token", challenge},
	{"the cookie twice", with(allowCookie), cookies("session=TOKEN; session=TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"the cookie with something else", with(allowCookie), cookies("session=a%20b"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"header and cookie", with(allowCookie), more(header("Bearer TOKEN"), func(r *http.Request) { r.Header.Set("Cookie", "session=x.y.z") }), 400, "multiple_tokens", badRequest(twoTokens)},
	{"a header for others and the cookie", with(allowCookie), more(cookies("session=TOKEN"), func(r *http.Request) { r.Header.Set("Authorization", "Basic eDp5") }), 200, "accepted", nothing},
	// Form
	{"a form where none is configured", nil, form("POST", urlencoded, "access_token=TOKEN"), 401, "no_token", challenge},
	{"a form", with(allowForm), form("POST", urlencoded, "a=b&access_token=TOKEN"), 200, "accepted", nothing},
	{"a form by PUT", with(allowForm), form("PUT", urlencoded, "access_token=TOKEN"), 200, "accepted", nothing},
	{"a form with a charset", with(allowForm), form("POST", urlencoded+"; charset=UTF-8", "access_token=TOKEN"), 200, "accepted", nothing},
	{"a form by GET, which gives the body no meaning", with(allowForm), form("GET", urlencoded, "access_token=TOKEN"), 401, "no_token", challenge},
	{"a form by DELETE", with(allowForm), form("DELETE", urlencoded, "access_token=TOKEN"), 401, "no_token", challenge},
	{"a form of several parts", with(allowForm), form("POST", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=access_token\r\n\r\nTOKEN\r\n--x--"), 401, "no_token", challenge},
	{"JSON", with(allowForm), form("POST", "application/json", `{"access_token":"TOKEN"}`), 401, "no_token", challenge},
	{"a form without the parameter", with(allowForm), form("POST", urlencoded, "a=b"), 401, "no_token", challenge},
	{"a form with the parameter twice", with(allowForm), form("POST", urlencoded, "access_token=TOKEN&access_token=TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"a form with the parameter empty", with(allowForm), form("POST", urlencoded, "access_token="), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a form that can't be read", with(allowForm), form("POST", urlencoded, "a=%zz"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a form whose query has it", with(allowForm), more(form("POST", urlencoded, "a=b"), func(r *http.Request) { r.URL.RawQuery = "access_token=x.y.z" }), 401, "no_token", challenge},
	{"header and form", with(allowForm), more(form("POST", urlencoded, "access_token=TOKEN"), func(r *http.Request) { r.Header.Set("Authorization", "Bearer x.y.z") }), 400, "multiple_tokens", badRequest(twoTokens)},
	// Query
	{"the query where it is not configured", nil, query("GET", "access_token=TOKEN"), 401, "no_token", challenge},
	{"the query", with(allowQuery), query("GET", "a=b&access_token=TOKEN"), 200, "accepted", nothing},
	{"the query by POST", with(allowQuery), query("POST", "access_token=TOKEN"), 200, "accepted", nothing},
	{"the query with the name escaped", with(allowQuery), query("GET", "access%5ftoken=TOKEN"), 200, "accepted", nothing},
	{"the query in another case", with(allowQuery), query("GET", "Access_Token=TOKEN"), 401, "no_token", challenge},
	{"the query with the parameter twice", with(allowQuery), query("GET", "access_token=TOKEN&access_token=TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"the query with the parameter empty", with(allowQuery), query("GET", "access_token="), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"header and query", with(allowQuery), more(header("Bearer TOKEN"), func(r *http.Request) { r.URL.RawQuery = "access_token=x.y.z" }), 400, "multiple_tokens", badRequest(twoTokens)},
	{"header, and a query that is not configured", nil, more(header("Bearer TOKEN"), func(r *http.Request) { r.URL.RawQuery = "access_token=x.y.z" }), 200, "accepted", nothing},
	{"form and query", with(func(c *middleware.Config) { c.AllowForm, c.AllowQuery = true, true }), more(form("POST", urlencoded, "access_token=TOKEN"), func(r *http.Request) { r.URL.RawQuery = "access_token=x.y.z" }), 400, "multiple_tokens", badRequest(twoTokens)},
	// Optional
	{"optional, and absent", with(optional), header(), 200, "no_token", nothing},
	{"optional, and another scheme", with(optional), header("Basic YWxpY2U6c2VjcmV0"), 200, "no_token", nothing},
	{"optional, and good", with(optional), header("Bearer TOKEN"), 200, "accepted", nothing},
	{"optional, and bad", with(optional), header("Bearer x.y.z"), 401, "malformed", invalid(malformedToken)},
	{"optional, and malformed", with(optional), header("Bearer"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"optional, and two", with(optional), header("Bearer TOKEN", "Bearer TOKEN"), 400, "multiple_tokens", badRequest(twoTokens)},
	{"optional, but the route needs a scope", all(with(optional), needs("a")), header(), 401, "no_token", challenge},
	{"optional, but the route needs any token", all(with(optional), needs()), header(), 401, "no_token", challenge},
	// Preflights; a passed one is no outcome, so only the refused ones have rows here
	{"a preflight where they are not passed", nil, preflight("OPTIONS", "Origin: https://spa.test", "Access-Control-Request-Method: POST"), 401, "no_token", challenge},
	{"OPTIONS without Origin", with(allowPreflight), preflight("OPTIONS", "Access-Control-Request-Method: POST"), 401, "no_token", challenge},
	{"OPTIONS without Access-Control-Request-Method", with(allowPreflight), preflight("OPTIONS", "Origin: https://spa.test"), 401, "no_token", challenge},
	{"a GET that looks like a preflight", with(allowPreflight), preflight("GET", "Origin: https://spa.test", "Access-Control-Request-Method: POST"), 401, "no_token", challenge},
	{"a preflight with a bad token", with(allowPreflight), preflight("OPTIONS", "Origin: https://spa.test", "Access-Control-Request-Method: POST", "Authorization: Bearer x.y.z"), 401, "malformed", invalid(malformedToken)},
}
