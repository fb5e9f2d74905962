// Package peerbench does the work of package middleware with the libraries that Go programs use for it today, side by
// side: the same tokens, the same issuer, the same questions. What they answer is observed by running them and written
// to middleware/PEERS.md, with the versions that this module's build has:
//
//	go test -run TestTable -update
//
// What they cost is measured in one process, as ratios to a raw verification, and over loopback HTTP, as ratios to a
// handler without authentication; and what a flood of forged signatures does to requests with known tokens:
//
//	go run ./bench
//	go run ./loopback
//	go run ./flood
//
// It is a module of its own, so that nobody who imports Bearergate gets the peers with it.
package peerbench
