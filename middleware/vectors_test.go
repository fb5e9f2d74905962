package middleware_test

import (
	"encoding/base64"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/testdata"
)

// A vector is one file of testdata/tokens; its README.txt says what the header lines mean.
type vector struct {
	expect string
	keys   string
	token  string
	alg    string // for "expect: signature …"
	now    time.Time
	cfg    *middleware.Config
}

// readVector reads a file. An unknown header line is fatal: a test that is not understood must not pass.
func readVector(t *testing.T, name string) *vector {
	data, err := fs.ReadFile(testdata.FS, "tokens/"+name)
	require.NoError(t, err)
	head, text, found := strings.Cut(string(data), "\n\n")
	require.True(t, found, "an empty line separates the header and the token")
	v := &vector{cfg: middleware.NewConfig("https://issuer.test", "api1"), token: strings.TrimSuffix(text, "\n")}
	about := ""
	for _, line := range strings.Split(head, "\n") {
		key, value, found := strings.Cut(line, ": ")
		require.True(t, found, "header line %q", line)
		switch key {
		case "about":
			about += value
		case "expect":
			v.expect = value
		case "keys":
			v.keys = value
		case "alg":
			v.alg = value
		case "issuer":
			v.cfg.Issuer.Name = value
		case "audience":
			v.cfg.Issuer.Audiences = strings.Fields(value)
		case "algorithms":
			v.cfg.Issuer.Algorithms = strings.Fields(value)
		case "profile":
			profiles := map[string]middleware.Profile{"default": middleware.Default, "rfc9068": middleware.RFC9068, "aspnet": middleware.ASPNET}
			p, known := profiles[value]
			require.True(t, known, "profile %q", value)
			v.cfg.Issuer.Profile = p
		case "skew":
			v.cfg.ClockSkew, err = time.ParseDuration(value)
			require.NoError(t, err)
		case "now":
			v.now, err = time.Parse(time.RFC3339Nano, value)
			require.NoError(t, err)
		case "quoted":
			require.Equal(t, "yes", value)
			v.token, err = strconv.Unquote(v.token)
			require.NoError(t, err)
		default:
			t.Fatalf("unknown header line %q", line)
		}
	}
	require.NotEmpty(t, about)
	require.NotEmpty(t, v.expect)
	return v
}

func TestVectors(t *testing.T) {
	files, err := fs.ReadDir(testdata.FS, "tokens")
	require.NoError(t, err)
	ran := 0
	for _, file := range files {
		if file.Name() == "README.txt" {
			continue
		}
		ran++
		t.Run(strings.TrimSuffix(file.Name(), ".txt"), func(t *testing.T) { readVector(t, file.Name()).run(t) })
	}
	assert.GreaterOrEqual(t, ran, 55)
}

func (v *vector) run(t *testing.T) {
	set, err := jwks.Parse([]byte(v.keys))
	require.NoError(t, err)
	if verdict, found := strings.CutPrefix(v.expect, "signature "); found {
		n := strings.LastIndexByte(v.token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(v.token[n+1:])
		require.NoError(t, err)
		keys, err := set.Lookup(t.Context(), "", v.alg)
		require.NoError(t, err)
		assert.Equal(t, verdict == "valid", keys[0].Verify(v.alg, []byte(v.token[:n]), signature) == nil)
		return
	}
	v.cfg.Issuer.Keys = set
	v.cfg.Now = func() time.Time { return v.now }
	validator, err := middleware.NewValidator(v.cfg)
	require.NoError(t, err)
	tok, err := validator.Validate(t.Context(), v.token)
	if v.expect == "accepted" {
		require.NoError(t, err)
		assert.Equal(t, v.cfg.Issuer.Name, tok.Issuer())
		return
	}
	assert.Equal(t, v.expect, "refused "+middleware.Reason(err), "%v", err)
	assert.Nil(t, tok)
}
