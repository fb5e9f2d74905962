// Package testdata holds the vectors that the tests of several packages share: key sets and tokens, good and broken, as
// readable files. Each folder's README.txt describes their form.
package testdata

import "embed"

// FS holds the folders keysets and tokens.
//
//go:embed all:keysets all:tokens
var FS embed.FS
