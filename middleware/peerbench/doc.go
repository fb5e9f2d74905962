// Package peerbench does the work of package middleware with the libraries that Go programs use for it today, side by
// side: the same tokens, the same issuer, the same questions. What they answer is observed by running them and written
// to middleware/PEERS.md, with the versions that this module's build has:
//
//	go test -run TestTable -update
//
// What they cost is measured by the command bench:
//
//	go run ./bench
//
// It is a module of its own, so that nobody who imports Bearergate gets the peers with it.
package peerbench
