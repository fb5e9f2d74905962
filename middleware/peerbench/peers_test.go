package peerbench

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every peer accepts a good token and refuses one that has expired: the wiring is right.
func TestEveryPeerAcceptsAGoodToken(t *testing.T) {
	for _, peer := range Peers() {
		t.Run(peer.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := newWorld(t)
				require.NoError(t, w.start(ctx, peer))
				token := w.issuer.Token()
				assert.True(t, w.accepts(token), "a good token: %v", w.send(token))
				w.pass(time.Hour)
				assert.False(t, w.accepts(token), "the same token, an hour later")
			})
		})
	}
}
