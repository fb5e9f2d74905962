// Package authclient is the client half of the 401.
package authclient
