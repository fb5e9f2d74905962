// Package testdata contains the vectors that the tests of several packages share: key sets and tokens, valid and invalid, as
// readable files. The README.txt of each folder describes the format.
package testdata

import "embed"

// FS contains the folders keysets and tokens.
//
//go:embed all:keysets all:tokens
var FS embed.FS
