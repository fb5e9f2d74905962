package weburl_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/internal/weburl"
)

func TestParse(t *testing.T) {
	const (
		none     = ""
		http     = "http on a host that is not loopback"
		noHost   = "no host"
		user     = "user or a password"
		fragment = "fragment"
		scheme   = "the scheme is"
		relative = "not an absolute URL"
		garbage  = "not a URL"
	)
	for _, row := range []struct {
		address string
		refusal string
	}{
		{"https://issuer.example", none},
		{"https://issuer.example/", none},
		{"https://issuer.example:8443/a/b?c=d", none},
		{"https://issuer.example?", none},
		{"HTTPS://ISSUER.EXAMPLE/", none},
		{"https://issuer.example./", none},
		{"https://münchen.example/", none},
		{"https://[2001:db8::1]:8443/", none},
		{"https://issuer.example/%2e%2e/%00", none},

		{"http://localhost", none},
		{"http://localhost:5000/keys", none},
		{"http://LocalHost:5000", none},
		{"HTTP://LOCALHOST", none},
		{"http://127.0.0.1", none},
		{"http://127.0.0.1:0", none},
		{"http://127.255.255.254:80", none},
		{"http://[::1]", none},
		{"http://[::1]:5000/", none},
		{"http://[0:0:0:0:0:0:0:1]", none},
		{"http://[::ffff:127.0.0.1]", none},
		{"http://[::ffff:7f00:1]", none},
		{"http://[::1%25lo]", none},

		{"http://issuer.example", http},
		{"http://localhost.", http},
		{"http://127.0.0.1.", http},
		{"http://localhost.example", http},
		{"http://app.localhost", http},
		{"http://localhost%00", garbage},
		{"http://127.1", http},
		{"http://0x7f.1", http},
		{"http://0x7f000001", http},
		{"http://2130706433", http},
		{"http://0177.0.0.1", http},
		{"http://127.0.0.01", http},
		{"http://0.0.0.0", http},
		{"http://[::]", http},
		{"http://[::2]", http},
		{"http://128.0.0.1", http},
		{"http://169.254.169.254", http},
		{"http://10.0.0.1", http},
		{"http://[::ffff:10.0.0.1]", http},
		{"http://①②⑦.0.0.1", http},
		{"http://ｌocalhost", http},
		{"http://127.0.0.1.example", http},

		{"https://", noHost},
		{"https:///keys", noHost},
		{"https://:443/keys", noHost},
		{"http://:80", noHost},
		{"https:issuer.example", noHost},
		{"https:/issuer.example", noHost},

		{"https://user@issuer.example", user},
		{"https://user:password@issuer.example", user},
		{"https://@issuer.example", user},
		{"http://localhost@issuer.example", user},
		{"http://127.0.0.1:80@issuer.example", user},
		{"https://issuer.example/@x", none},

		{"https://issuer.example#", fragment},
		{"https://issuer.example/#a", fragment},
		{"https://issuer.example?a=b#c", fragment},
		{"https://issuer.example/%23", none},

		{"ftp://issuer.example", scheme},
		{"file:///etc/passwd", scheme},
		{"javascript:alert(1)", scheme},
		{"httpx://issuer.example", scheme},
		{"localhost:5000", scheme},

		{"", relative},
		{"issuer.example", relative},
		{"//issuer.example", relative},
		{"/keys", relative},

		{"https://issuer.example/\n", garbage},
		{" https://issuer.example", garbage},
		{"https://issuer example", garbage},
		{"https://issuer.example:port", garbage},
		{"http://%6cocalhost", garbage},
		{"http://127.0.0.1%2eexample", garbage},
		{"http://[::1", garbage},
		{"http://[127.0.0.1]x", garbage},
		{"https://issuer.example/%zz", garbage},
		{"://issuer.example", garbage},
	} {
		u, err := weburl.Parse(row.address, false)
		if row.refusal == none {
			if assert.NoError(t, err, row.address) {
				assert.NotEmpty(t, u.Hostname(), row.address)
			}
		} else {
			assert.ErrorContains(t, err, row.refusal, row.address)
			assert.Nil(t, u, row.address)
		}
		_, err = weburl.Parse(row.address, true)
		if row.refusal == none || row.refusal == http {
			assert.NoError(t, err, "insecure: %s", row.address)
		} else {
			assert.ErrorContains(t, err, row.refusal, "insecure: %s", row.address)
		}
	}
}

func TestParseErrorsHoldNoSecret(t *testing.T) {
	for _, address := range []string{
		"https://user:S3CRET@issuer.example", "https://issuer.example?key=S3CRET#", "http://issuer.example/S3CRET?S3CRET",
		"ftp://S3CRET@issuer.example", "https://S3CRET\n", "S3CRET", "//S3CRET", "https:S3CRET",
	} {
		_, err := weburl.Parse(address, false)
		require.Error(t, err, address)
		assert.NotContains(t, err.Error(), "S3CRET", address)
	}
	_, err := weburl.Parse(strings.Repeat("a", 10_000)+"://issuer.example", false)
	require.Error(t, err)
	assert.Less(t, len(err.Error()), 200)
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.": false, "127.0.0.1.": false, "[::1]": false, "localhost:80": false, "127.1": false,
		"::": false, "0.0.0.0": false, "::127.0.0.1": false, "localhost ": false, "loсalhost": false,
	} {
		assert.Equal(t, want, weburl.IsLoopback(host), "%q", host)
	}
}

func TestCheckStep(t *testing.T) {
	for _, row := range []struct {
		from, to         string
		secure, insecure bool
	}{
		{"https://a.example", "https://b.example/keys", true, true},
		{"https://a.example", "http://a.example", false, false},
		{"https://a.example", "http://localhost", false, false},
		{"http://localhost", "http://127.0.0.1/keys", true, true},
		{"http://localhost", "https://a.example", true, true},
		{"http://localhost", "http://a.example", false, true},
		{"http://a.example", "http://b.example", false, true},
		{"https://a.example", "https://user@a.example", false, false},
		{"https://a.example", "https://a.example/#here", false, false},
		{"https://a.example", "file:///etc/passwd", false, false},
		{"https://a.example", "https:///", false, false},
	} {
		from, err := url.Parse(row.from)
		require.NoError(t, err)
		to, err := url.Parse(row.to)
		require.NoError(t, err)
		assert.Equal(t, row.secure, weburl.CheckStep(from, to, false) == nil, "%s to %s", row.from, row.to)
		assert.Equal(t, row.insecure, weburl.CheckStep(from, to, true) == nil, "insecure: %s to %s", row.from, row.to)
	}
}

func TestHasQuery(t *testing.T) {
	for address, want := range map[string]bool{"https://a.example?b=c": true, "https://a.example?": true, "https://a.example/%3f": false} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		assert.Equal(t, want, weburl.HasQuery(u), address)
	}
}

func TestRedact(t *testing.T) {
	for address, want := range map[string]string{
		"https://issuer.example/keys":                   "https://issuer.example/keys",
		"https://issuer.example:8443":                   "https://issuer.example:8443",
		"https://user:S3CRET@issuer.example/keys":       "https://issuer.example/keys",
		"https://S3CRET@issuer.example":                 "https://issuer.example",
		"https://issuer.example/keys?api_key=S3CRET":    "https://issuer.example/keys",
		"https://issuer.example/keys?":                  "https://issuer.example/keys",
		"https://issuer.example/keys#S3CRET":            "https://issuer.example/keys",
		"https://issuer.example/keys?S3CRET#S3CRET":     "https://issuer.example/keys",
		"https://issuer.example/ä":                      "https://issuer.example/%C3%A4",
		"issuer.example":                                "issuer.example",
		"":                                              "",
		"user:S3CRET@issuer.example":                    "(not a URL)",
		"user@issuer.example/S3CRET":                    "(not a URL)",
		"https:S3CRET":                                  "(not a URL)",
		"postgres//user:S3CRET@issuer.example/db":       "(not a URL)",
		"https://user:S3CRET@issuer.example\n":          "(not a URL)",
		"https://user:S3CRET%zz@issuer.example":         "(not a URL)",
		"https://a.example/" + strings.Repeat("x", 200): "https://a.example/" + strings.Repeat("x", 182) + "…",
	} {
		assert.Equal(t, want, weburl.Redact(address), address)
	}
}

// FuzzURL: what Parse accepts is what it promises, and what Redact returns holds neither user info nor query nor fragment.
func FuzzURL(f *testing.F) {
	for _, address := range []string{
		"https://user:password@issuer.example:8443/a%2Fb?c=d#e", "http://[::1%25lo]:5000/", "http://LocalHost.", "user:password@host",
		"postgres//user:password@host/db", "https:opaque", "//host?query", "https://issuer.example/\x00", "https://ä.example/ä?ä",
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		shown := weburl.Redact(address)
		assert.NotContains(t, shown, "?")
		assert.NotContains(t, shown, "#")
		assert.LessOrEqual(t, len(shown), 200+len("…"))
		u, err := weburl.Parse(address, false)
		if err != nil {
			require.Nil(t, u)
			return
		}
		require.True(t, u.Scheme == "https" || u.Scheme == "http" && weburl.IsLoopback(u.Hostname()), address)
		require.NotEmpty(t, u.Hostname())
		require.Nil(t, u.User)
		require.Empty(t, u.Fragment)
		require.NoError(t, weburl.CheckStep(u, u, false))
		if len(shown) < 200 {
			again, err := weburl.Parse(shown, false)
			require.NoError(t, err, shown)
			require.Equal(t, u.Host, again.Host)
		}
	})
}

func TestClip(t *testing.T) {
	assert.Equal(t, "", weburl.Clip("", 4))
	assert.Equal(t, "abcd", weburl.Clip("abcd", 4))
	assert.Equal(t, "abcd…", weburl.Clip("abcde", 4))
	assert.Equal(t, "abc…", weburl.Clip("abcäe", 4), "half a character is not shown")
	assert.Equal(t, "…", weburl.Clip("€€", 2))
	assert.Equal(t, "ab…", weburl.Clip("a\xffb\xff\xff", 4))
}
