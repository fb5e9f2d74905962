package revocation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/revocation"
)

func TestConfigs(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*revocation.Config)
		says   string // "" for none
	}{
		{"as NewConfig makes it", func(*revocation.Config) {}, ""},
		{"Accept", func(c *revocation.Config) { c.WhenStale = revocation.Accept }, ""},
		{"nothing about staleness", func(c *revocation.Config) { c.WhenStale = "" }, "WhenStale: it is required: Refuse or Accept"},
		{"another word about staleness", func(c *revocation.Config) { c.WhenStale = "perhaps" }, `WhenStale: "perhaps" is neither`},
		{"no issuer", func(c *revocation.Config) { c.Issuer = "" }, "Issuer: it is required"},
		{"an issuer that is no URL, and the feed's address", func(c *revocation.Config) { c.Issuer = "issuer" }, ""},
		{"no client", func(c *revocation.Config) { c.ClientID = "" }, "ClientID: it is required"},
		{"no secret", func(c *revocation.Config) { c.ClientSecret = "" }, "ClientSecret: it is required"},
		{"http", func(c *revocation.Config) { c.URL = "http://issuer.test/revoked" }, "URL: \"http://issuer.test/revoked\": http on a host that is not loopback, without AllowInsecureHTTP"},
		{"http, said aloud", func(c *revocation.Config) { c.URL = "http://issuer.test/revoked"; c.AllowInsecureHTTP = true }, ""},
		{"http on loopback", func(c *revocation.Config) { c.URL = "http://127.0.0.1:5000/revoked" }, ""},
		{"http on loopback, IPv6", func(c *revocation.Config) { c.URL = "http://[::1]:5000/revoked" }, ""},
		{"http on loopback, by name", func(c *revocation.Config) { c.URL = "http://localhost/revoked" }, ""},
		{"http on a host that only begins so", func(c *revocation.Config) { c.URL = "http://localhost.evil.test/revoked" }, "not loopback"},
		{"no address", func(c *revocation.Config) { c.URL = "" }, "URL: \"\": not an absolute https URL"},
		{"an address that is none", func(c *revocation.Config) { c.URL = "https://[" }, "URL: \"(unreadable)\": not a URL"},
		{"another scheme", func(c *revocation.Config) { c.URL = "file:///revoked" }, "not an absolute https URL"},
		{"an address with a password", func(c *revocation.Config) { c.URL = "https://u:hidden@issuer.test/" }, "has a user"},
		{"an address with a query", func(c *revocation.Config) { c.URL = "https://issuer.test/?key=hidden" }, "has a user, a query"},
		{"a short Interval", func(c *revocation.Config) { c.Interval = time.Millisecond }, "Interval: 1ms is less than 10ms"},
		{"no Interval", func(c *revocation.Config) { c.Interval = 0 }, "Interval: 0s is less than 10ms"},
		{"MaxAge not more than Interval", func(c *revocation.Config) { c.MaxAge = c.Interval }, "MaxAge: 5s is not more than Interval"},
		{"no entries", func(c *revocation.Config) { c.MaxEntries = 0 }, "MaxEntries: 0 is not positive"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := revocation.NewConfig("https://issuer.test", "api1", "hidden")
			cfg.WhenStale = revocation.Refuse
			row.change(cfg)
			list, err := revocation.New(cfg)
			if row.says == "" {
				require.NoError(t, err)
				assert.NotNil(t, list)
				return
			}
			assert.Nil(t, list)
			require.ErrorContains(t, err, "revocation: config: ")
			assert.ErrorContains(t, err, row.says)
			assert.NotContains(t, err.Error(), "hidden")
		})
	}
	for _, cfg := range []*revocation.Config{nil, {}, {Issuer: "https://issuer.test", WhenStale: revocation.Accept}} {
		_, err := revocation.New(cfg)
		assert.EqualError(t, err, "revocation: config was not made by NewConfig")
	}
}

// Whatever is printed, logged or told, the secret is not in it.
func TestNothingShowsTheSecret(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var said bytes.Buffer
		w.cfg.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w.cfg.MaxEntries = 1
		stop := w.run()
		require.NoError(t, w.list.Ready(t.Context()))
		w.feed.set(status(401))
		time.Sleep(2 * w.cfg.MaxAge)
		w.feed.set(nil)
		time.Sleep(w.cfg.MaxAge)
		w.feed.revoke(time.Hour, "a", "b")
		time.Sleep(w.cfg.MaxAge)
		synctest.Wait()
		assert.Equal(t, []string{revocation.Fresh, revocation.Failing, revocation.Stale, revocation.Fresh, revocation.Overflow}, w.kinds())
		stop()
		for _, value := range []any{*w.cfg, w.cfg, w.list, struct{ C revocation.Config }{*w.cfg}, w.list.Status(), w.events} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				fmt.Fprintf(&said, verb+"\n", value)
			}
			slog.New(slog.NewJSONHandler(&said, nil)).Info("value", "value", value)
			_, err := fmt.Fprintln(&said, value)
			require.NoError(t, err)
		}
		written, err := json.Marshal(struct {
			Secret string
			*revocation.List
		}{"", w.list})
		require.NoError(t, err)
		said.Write(written)
		assert.Contains(t, said.String(), "stale")
		for _, hidden := range []string{secret, "s3cret", fmt.Sprintf("%x", secret), "Basic "} {
			assert.NotContains(t, strings.ToLower(said.String()), strings.ToLower(hidden))
		}
	})
}
