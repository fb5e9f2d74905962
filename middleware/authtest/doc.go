// Package authtest is "httptest for JWTs": an issuer in one line inside your own tests.
package authtest
