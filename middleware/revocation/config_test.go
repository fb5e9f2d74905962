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

func TestConfig(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*revocation.Config)
		want   string // part of the error; "" for none
	}{
		{"defaults", func(*revocation.Config) {}, ""},
		{"Accept", func(c *revocation.Config) { c.WhenStale = revocation.Accept }, ""},
		{"no WhenStale", func(c *revocation.Config) { c.WhenStale = "" }, "WhenStale: it has no default: set Reject or Accept"},
		{"unknown WhenStale", func(c *revocation.Config) { c.WhenStale = "perhaps" }, `WhenStale: "perhaps" is neither`},
		{"no issuer", func(c *revocation.Config) { c.Issuer = "" }, "Issuer: the issuer is empty"},
		{"an issuer that is not a URL, with a URL of its own", func(c *revocation.Config) { c.Issuer = "issuer" }, ""},
		{"no client", func(c *revocation.Config) { c.ClientID = "" }, "ClientID: the client id is empty"},
		{"no secret", func(c *revocation.Config) { c.ClientSecret = "" }, "ClientSecret: the secret is empty"},
		{"http", func(c *revocation.Config) { c.URL = "http://issuer.test/revoked" }, `URL: "http://issuer.test/revoked": http on a host that is not loopback: use https, or set AllowInsecureHTTP`},
		{"http with AllowInsecureHTTP", func(c *revocation.Config) { c.URL = "http://issuer.test/revoked"; c.AllowInsecureHTTP = true }, ""},
		{"http on loopback", func(c *revocation.Config) { c.URL = "http://127.0.0.1:5000/revoked" }, ""},
		{"http on loopback IPv6", func(c *revocation.Config) { c.URL = "http://[::1]:5000/revoked" }, ""},
		{"http on localhost", func(c *revocation.Config) { c.URL = "http://localhost/revoked" }, ""},
		{"http on a host that begins with localhost", func(c *revocation.Config) { c.URL = "http://localhost.evil.test/revoked" }, "not loopback"},
		{"no URL", func(c *revocation.Config) { c.URL = "" }, `URL: "": not an absolute URL, such as https://host/path`},
		{"a URL that cannot be parsed", func(c *revocation.Config) { c.URL = "https://[" }, `URL: "(not a URL)": not a URL`},
		{"another scheme", func(c *revocation.Config) { c.URL = "file:///revoked" }, `the scheme is "file", not https`},
		{"a URL with a password", func(c *revocation.Config) { c.URL = "https://u:hidden@issuer.test/" }, "has a user or a password"},
		{"a URL with a query", func(c *revocation.Config) { c.URL = "https://issuer.test/?key=hidden" }, "the URL has a query"},
		{"Interval too short", func(c *revocation.Config) { c.Interval = time.Millisecond }, "Interval: 1ms is less than 10ms"},
		{"Interval zero", func(c *revocation.Config) { c.Interval = 0 }, "Interval: 0s is less than 10ms"},
		{"MaxAge equal to Interval", func(c *revocation.Config) { c.MaxAge = c.Interval }, "MaxAge: 5s is not longer than Interval"},
		{"MaxEntries zero", func(c *revocation.Config) { c.MaxEntries = 0 }, "MaxEntries: 0 is not positive"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := revocation.NewConfig("https://issuer.test", "api1", "hidden")
			cfg.WhenStale = revocation.Reject
			row.change(cfg)
			list, err := revocation.New(cfg)
			if row.want == "" {
				require.NoError(t, err)
				assert.NotNil(t, list)
				return
			}
			assert.Nil(t, list)
			require.ErrorContains(t, err, "revocation: config: ")
			assert.ErrorContains(t, err, row.want)
			assert.NotContains(t, err.Error(), "hidden")
		})
	}
	for _, cfg := range []*revocation.Config{nil, {}, {Issuer: "https://issuer.test", WhenStale: revocation.Accept}} {
		_, err := revocation.New(cfg)
		assert.EqualError(t, err, "revocation: use revocation.NewConfig to create a Config")
	}
}

// No print, log or event contains the secret.
func TestSecretIsNeverShown(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var out bytes.Buffer
		w.cfg.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w.cfg.MaxEntries = 1
		stop := w.run()
		require.NoError(t, w.list.Ready(t.Context()))
		w.server.set(status(401))
		time.Sleep(2 * w.cfg.MaxAge)
		w.server.set(nil)
		time.Sleep(w.cfg.MaxAge)
		w.server.revoke(time.Hour, "a", "b")
		time.Sleep(w.cfg.MaxAge)
		synctest.Wait()
		assert.Equal(t, []string{revocation.Fresh, revocation.Failing, revocation.Stale, revocation.Fresh, revocation.Overflow}, w.kinds())
		stop()
		for _, value := range []any{*w.cfg, w.cfg, w.list, struct{ C revocation.Config }{*w.cfg}, w.list.Status(), w.events} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				fmt.Fprintf(&out, verb+"\n", value)
			}
			slog.New(slog.NewJSONHandler(&out, nil)).Info("value", "value", value)
			_, err := fmt.Fprintln(&out, value)
			require.NoError(t, err)
		}
		written, err := json.Marshal(struct {
			Secret string
			*revocation.List
		}{"", w.list})
		require.NoError(t, err)
		out.Write(written)
		assert.Contains(t, out.String(), "stale")
		for _, hidden := range []string{secret, "s3cret", fmt.Sprintf("%x", secret), "Basic "} {
			assert.NotContains(t, strings.ToLower(out.String()), strings.ToLower(hidden))
		}
	})
}
