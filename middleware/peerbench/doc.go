// Package peerbench compares package middleware with the libraries that Go programs use today for the same work: the same
// tokens from the same issuer. It runs them and writes their answers to middleware/PEERS.md, with the versions in this module's
// build:
//
//	go test -run TestTable -update
//
// Three programs measure the cost: in one process, as ratios to the signature verification alone; over loopback HTTP, as ratios
// to a handler without authentication; and for requests with cached tokens during a flood of forged signatures:
//
//	go run ./bench
//	go run ./loopback
//	go run ./flood
//
// It is a module of its own, so that users of Bearergate do not download the other libraries.
package peerbench
