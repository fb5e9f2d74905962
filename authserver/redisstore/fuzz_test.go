package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/redisstore"
)

// FuzzRow checks that decoding any bytes returns a grant or ErrDamaged, and that a decoded grant survives encoding and
// decoding.
func FuzzRow(f *testing.F) {
	full := grant("a")
	full.Generation, full.Replays, full.History = 7, 3, []time.Time{epoch, epoch.Add(time.Second)}
	full.RevokedAt, full.RevokeReason, full.Nonce = epoch, "reuse", "\x00"
	for _, g := range []authserver.Grant{{}, grant("a"), full} {
		row, err := redisstore.EncodeRow(&g)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(row))
		f.Add(string(row[:len(row)-1]))
		f.Add(string(row[:100]))
	}
	f.Fuzz(func(t *testing.T, row string) {
		g, err := redisstore.DecodeRow(row)
		if err != nil {
			if !errors.Is(err, redisstore.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		again, err := redisstore.EncodeRow(&g)
		if err != nil {
			t.Fatal(err)
		}
		same, err := redisstore.DecodeRow(string(again))
		if err != nil || same.Generation != g.Generation || same.ID != g.ID ||
			!same.RevokedAt.Equal(g.RevokedAt) || len(same.History) != len(g.History) {
			t.Fatal(g, same, err)
		}
	})
}
