package middleware_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/middleware"
)

// strictBase64 is encoding/base64, as strict as it can be: it skips line breaks all the same.
func strictBase64(s string) ([]byte, bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return text, err == nil && !strings.ContainsAny(s, "\r\n")
}

// Every text of up to three characters that matter is decoded as encoding/base64 does it.
func TestDecode(t *testing.T) {
	const some = "AQBgw-_9+/= \n\x00é"
	texts := []string{""}
	for _, prefix := range []string{"", "QUJD", "QUJDREVGR0hJ"} {
		for i := range len(some) {
			one := prefix + some[i:i+1]
			texts = append(texts, one)
			for j := range len(some) {
				two := one + some[j:j+1]
				texts = append(texts, two)
				for k := range len(some) {
					texts = append(texts, two+some[k:k+1], two+some[k:k+1]+"A")
				}
			}
		}
	}
	for _, s := range texts {
		want, good := strictBase64(s)
		got, ok := middleware.DecodeSegment(s)
		assert.Equal(t, good, ok, "%q", s)
		if good {
			assert.Equal(t, string(want), string(got), "%q", s)
		}
	}
}

// FuzzDecode: our decoder and encoding/base64 agree, on the verdict and on the bytes.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "A", "AA", "AB", "AAA", "AAB", "AAAA", "QUJD", "QUI", "QQ", "Q\nQ", "Q===", "+/AA", "-_AA", "\xff\xff\xff\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, good := strictBase64(s)
		got, ok := middleware.DecodeSegment(s)
		if ok != good || ok && string(got) != string(want) {
			t.Fatalf("%q: %x %v, not %x %v", s, got, ok, want, good)
		}
	})
}

// FuzzB64Token: eight characters at a time or one, the verdict is the same.
func FuzzB64Token(f *testing.F) {
	for _, s := range []string{"", "=", "a=", "abcdefgh", "abcdefg+", "abcdefg,", "abcdefg~==", "ABCDEFG[", "@BCDEFGH", "`bcdefgh", "{bcdefgh",
		"0123456789:;-./,_^`~+*", "\x80bcdefgh", "abcdefgé"} {
		f.Add(s)
	}
	for c := range 256 {
		f.Add("abcdefgh" + string([]byte{byte(c)}) + "ABCDEFGH")
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := strings.TrimRight(s, "=")
		want := text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") == ""
		for _, c := range []byte(text) {
			want = want && strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", c) >= 0
		}
		if middleware.IsB64Token(s) != want {
			t.Fatalf("%q: %v", s, !want)
		}
	})
}
