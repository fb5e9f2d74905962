//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package authclient

import "context"

func lockFile(ctx context.Context, name string) (func(), error) { return lockExclusive(ctx, name) }
