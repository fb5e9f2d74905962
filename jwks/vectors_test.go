package jwks_test

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/testdata"
)

// vector is a file of testdata/keysets; its README.txt describes the format.
type vector struct {
	name, about, err string
	keys, skipped    []string
	document         []byte
}

func vectors(t testing.TB) []vector {
	t.Helper()
	names, err := fs.Glob(testdata.FS, "keysets/*.txt")
	require.NoError(t, err)
	require.Greater(t, len(names), 30)
	var all []vector
	for _, name := range names {
		if strings.HasSuffix(name, "/README.txt") {
			continue
		}
		text, err := fs.ReadFile(testdata.FS, name)
		require.NoError(t, err)
		head, document, ok := strings.Cut(string(text), "\n\n")
		require.True(t, ok, name)
		v := vector{name: strings.TrimSuffix(strings.TrimPrefix(name, "keysets/"), ".txt"), document: []byte(document)}
		for line := range strings.Lines(head + "\n") {
			field, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch field {
			case "about":
				v.about = value
			case "error":
				v.err = value
			case "key":
				v.keys = append(v.keys, value)
			case "skip":
				v.skipped = append(v.skipped, value)
			default:
				require.Failf(t, "unknown header line", "%s: %q", name, line)
			}
		}
		all = append(all, v)
	}
	return all
}

var allAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}

func TestParseVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			set, err := jwks.Parse(v.document)
			if v.err != "" {
				require.EqualError(t, err, "jwks: "+v.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, v.skipped, describeSkipped(set.Skipped()))
			assert.Equal(t, v.keys, describeKeys(t, set))
		})
	}
}

func describeSkipped(skipped []jwks.Skipped) (lines []string) {
	for _, s := range skipped {
		lines = append(lines, dash(s.ID)+" "+s.Reason)
	}
	return lines
}

// describeKeys returns, for each key, the algorithms with which a token that names its kid finds it. For a key without
// a kid the token has none either, and finds the key only if no other fits.
func describeKeys(t *testing.T, set *jwks.Set) (lines []string) {
	for _, k := range set.Keys() {
		words := []string{dash(k.ID())}
		for _, alg := range allAlgorithms {
			found, err := set.Lookup(context.Background(), k.ID(), alg)
			if err != nil {
				require.ErrorIs(t, err, jwks.ErrKeyNotFound)
			}
			if slices.Contains(found, k) {
				words = append(words, alg)
			}
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

func dash(id string) string {
	if id == "" {
		return "-"
	}
	return id
}

// TestSetRoundTrip writes and reads every good key set.
func TestSetRoundTrip(t *testing.T) {
	for _, v := range vectors(t) {
		if v.err != "" {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			set, err := jwks.Parse(v.document)
			require.NoError(t, err)
			document, err := set.MarshalJSON()
			require.NoError(t, err)
			again, err := jwks.Parse(document)
			require.NoError(t, err)
			assert.Empty(t, again.Skipped())
			assert.Equal(t, v.keys, describeKeys(t, again))
			same, err := jwks.NewSet(set.Keys()...)
			require.NoError(t, err)
			assert.Equal(t, v.keys, describeKeys(t, same))
		})
	}
}
