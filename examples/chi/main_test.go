package main

import (
	"testing"

	"github.com/bearergate/bearergate/examples/internal/routertest"
)

func TestRouter(t *testing.T) { routertest.Run(t, router) }
