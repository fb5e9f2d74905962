package storetest

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// BenchmarkRefresh measures a whole refresh over a store: the token endpoint, a read, a signature and the step. At most
// the given number of clients refresh at once, each of them a grant of its own.
func BenchmarkRefresh(b *testing.B, s authserver.Store, clients int) {
	srv, err := newServer(s, func(cfg *authserver.Config) { cfg.Now, cfg.RefreshGrace = time.Now, time.Minute })
	if err != nil {
		b.Fatal(err)
	}
	tokens := make(chan string, clients)
	for i := range clients {
		tokens <- issueRefreshToken(b, srv, fmt.Sprint("user ", i))
	}
	b.SetParallelism(clients)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		token := <-tokens
		defer func() { tokens <- token }()
		for pb.Next() {
			a := refresh(srv, token)
			if a.Status != http.StatusOK {
				b.Error(a.Status, a.Error)
				return
			}
			token = a.RefreshToken
		}
	})
	b.StopTimer()
}
