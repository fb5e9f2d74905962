package authserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkRefresh is one rotation through the handler; Sign is what of it is signing two tokens with ES256.
func BenchmarkRefresh(b *testing.B) {
	w := newWorld(b)
	token := w.signIn().str("refresh_token")
	for b.Loop() {
		r := w.refresh(token)
		require.Equal(b, http.StatusOK, r.status)
		token = r.str("refresh_token")
		w.events = w.events[:0]
	}
}

// What costs nothing must be refused for nothing: these never reach a signature, and the first two not the store.
func BenchmarkRefuse(b *testing.B) {
	w := newWorld(b)
	good := w.signIn().str("refresh_token")
	for name, pairs := range map[string][]string{
		"malformed": {"grant_type", "refresh_token", "refresh_token", "4d3f3061e8e049689a586d8dfcba0d08"},
		"scope":     {"grant_type", "refresh_token", "refresh_token", good, "scope", "admin"},
		"forged":    {"grant_type", "refresh_token", "refresh_token", "rt1_" + strings.Repeat("A", 72)},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, http.StatusBadRequest, w.mvc("/token", pairs...).status)
			}
		})
	}
}
