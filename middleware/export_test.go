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

// ScanObject reads text as one strict JSON object and returns its members: strings unescaped, everything else as it is.
func ScanObject(text string) (members map[string]string, ok bool) {
	members = map[string]string{}
	err := scanObject(text, func(name string, v value) error {
		s, isString := v.str()
		if !isString {
			s = v.raw
		}
		members[name] = s
		return nil
	})
	return members, err == nil
}

// Find returns the text of what a path leads to.
func Find(text, path string) (string, bool) {
	v, ok := find(text, path)
	return v.raw, ok
}

// VerifySignature verifies as step 6 does. It reports false too when the key does not fit the algorithm.
func VerifySignature(alg, input string, signature []byte, key any) bool {
	a := algorithmNamed(alg)
	return a != nil && a.fits(key) && a.verify(input, signature, key) == nil
}
