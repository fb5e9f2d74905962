package strictjson_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/internal/strictjson"
)

var known = []string{"iss", "sub", "kid", "x5t#S256"}

func TestVocabulary(t *testing.T) {
	v := strictjson.NewVocabulary(known...)
	for name, want := range map[string]bool{
		"iss": false, "Iss": true, "ISS": true, "i\u017fs": true, "i\u017f\u017f": true, "\u212aid": true, "kid": false, "x5t#S256": false,
		"x5t#s256": true, "X5T#S256": true, "": false, "issuer": false, "is": false, "\u0131ss": false, "\xffss": false, "İss": false,
	} {
		assert.Equal(t, want, v.Misspells(name), "%q", name)
	}
}

// FuzzVocabulary: the verdict is that of strings.EqualFold.
func FuzzVocabulary(f *testing.F) {
	for _, name := range append([]string{"ISS", "i\u017fs", "\u212aid", "x5t#s256", "\xff", "é", "İss"}, known...) {
		f.Add(name)
	}
	v := strictjson.NewVocabulary(known...)
	f.Fuzz(func(t *testing.T, name string) {
		want := false
		for _, k := range known {
			want = want || name != k && strings.EqualFold(name, k)
		}
		if v.Misspells(name) != want {
			t.Fatalf("%q: %v", name, !want)
		}
	})
}
