// Package jwks is keys, both ways: it fetches and selects the keys that verify tokens, and it rotates, publishes and uses
// the keys that sign them.
package jwks
