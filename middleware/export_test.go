package middleware

import "time"

// What the tests of parts need to see.

var (
	Quoted       = quoted
	Sanitise     = sanitise
	IsScopeToken = isScopeToken
	IsB64Token   = isB64Token
	AppendScopes = appendScopes
)

// NumericDate reads a JSON number as a date.
func NumericDate(text string) (time.Time, bool) { return numericDate(text) }

// ScanObject reports whether text is one strict JSON object.
func ScanObject(text string) bool { return scanObject(text, nil) == nil }

// VerifySignature verifies as step 6 does. It reports false too when the key does not fit the algorithm.
func VerifySignature(alg, input string, signature []byte, key any) bool {
	a := algorithmNamed(alg)
	return a != nil && a.fits(key) && a.verify(input, signature, key) == nil
}
