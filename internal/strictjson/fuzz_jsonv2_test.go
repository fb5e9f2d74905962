//go:build goexperiment.jsonv2 && !go1.27

// From Go 1.27 on encoding/json/v2 needs no experiment, but go vet asks for a go directive of 1.27: then the tag can go.

package strictjson_test

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/bearergate/bearergate/internal/strictjson"
)

// referenceV2 accepts what jsontext accepts by default as one object (no duplicate names, valid UTF-8), within the two limits
// that this package adds: the depth, and numbers that a float64 can hold.
func referenceV2(text string) error {
	const maxDepth = 32
	dec := jsontext.NewDecoder(strings.NewReader(text))
	if dec.PeekKind() != jsontext.KindBeginObject {
		return errors.New("not an object")
	}
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if dec.StackDepth() > maxDepth {
			return errors.New("too deep")
		}
		if token.Kind() == jsontext.KindNumber {
			if _, err := strconv.ParseFloat(token.String(), 64); err != nil {
				return err
			}
		}
		if dec.StackDepth() == 0 {
			break
		}
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows")
	}
	return nil
}

// FuzzScanV2: exactly what encoding/json/v2 accepts is accepted, within this package's limits, and it reads the same.
func FuzzScanV2(f *testing.F) {
	for _, text := range seeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, ok := scan(text)
		if err := referenceV2(text); (err == nil) != ok {
			t.Fatalf("accepted: %t, but encoding/json/v2 says %v: %q", ok, err, text)
		}
		if !ok {
			return
		}
		var same map[string]jsontext.Value
		if err := json.Unmarshal([]byte(text), &same); err != nil || len(same) != len(found) {
			t.Fatalf("%d members, not %d (%v): %q", len(found), len(same), err, text)
		}
		for name, raw := range same {
			want := string(raw)
			if raw.Kind() == jsontext.KindString {
				if err := json.Unmarshal(raw, &want); err != nil {
					t.Fatalf("%q: %v", raw, err)
				}
			}
			if got, there := found[name]; !there || got != want {
				t.Fatalf("%q is %q, not %q", name, got, want)
			}
			if got, there := strictjson.Find(text, pointer(name)); !there || got.Raw() != string(raw) {
				t.Fatalf("%q leads to %q, not %q", pointer(name), got.Raw(), raw)
			}
		}
	})
}
