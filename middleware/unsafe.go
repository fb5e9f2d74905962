package middleware

import "unsafe"

// bytesOf is s without a copy. The caller must not write to it, nor keep it longer than s. What is verified is hashed where
// it stands: a copy of each token for the sake of a type would cost an allocation of the token's size.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) } //nolint:gosec // see above

// stringOf is b without a copy. Nobody may write to b afterwards.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // see above
