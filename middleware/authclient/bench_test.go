package authclient_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

func BenchmarkRoundTrip(b *testing.B) {
	empty := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}
	base := roundTripper(func(*http.Request) (*http.Response, error) { resp := *empty; return &resp, nil })
	cfg := authclient.NewConfig(oauthConfig(), apiURL)
	cfg.Base = base
	rt, err := authclient.New(cfg, newWorld().login())
	require.NoError(b, err)

	for _, row := range []struct {
		name string
		rt   http.RoundTripper
	}{{"Without", base}, {"With", rt}} {
		b.Run(row.name, func(b *testing.B) {
			req, err := http.NewRequest(http.MethodGet, apiURL+"/identity", nil)
			require.NoError(b, err)
			req.Header.Set("Accept", "application/json")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := row.rt.RoundTrip(req); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(row.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				req, _ := http.NewRequest(http.MethodGet, apiURL+"/identity", nil)
				for pb.Next() {
					if _, err := row.rt.RoundTrip(req); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkNew measures what one more Transport costs.
func BenchmarkNew(b *testing.B) {
	cfg := authclient.NewConfig(oauthConfig(), apiURL)
	token := &oauth2.Token{AccessToken: "at", RefreshToken: "rt"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := authclient.New(cfg, token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseChallenges(b *testing.B) {
	for _, row := range []struct{ name, line string }{
		{"usual", invalidToken},
		{"64 KiB of challenges", strings.Repeat("a,", 32<<10)},
		{"64 KiB of quotes", strings.Repeat(`"`, 64<<10)},
		{"64 KiB of parameters", "a " + strings.Repeat("b=c,", 16<<10)},
		{"64 KiB of escapes", `a b="` + strings.Repeat(`\"`, 32<<10)},
		{"64 KiB of invalid characters", strings.Repeat("@,", 32<<10)},
	} {
		b.Run(row.name, func(b *testing.B) {
			h := http.Header{"Www-Authenticate": {row.line}}
			b.SetBytes(int64(len(row.line)))
			b.ReportAllocs()
			for b.Loop() {
				_ = authclient.ParseChallenges(h)
			}
		})
	}
}
