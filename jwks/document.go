package jwks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/bearergate/bearergate/internal/weburl"
)

const (
	// The largest real key sets have some dozens of keys. The bounds keep a broken or hostile document from costing
	// memory, or time: a token is tried with every key of its kid.
	maxKeys       = 1000
	maxKeysPerKID = 8
	maxReasons    = 8
)

// Skipped is a key in a document that can't be used.
type Skipped struct {
	ID     string // its kid, as far as it could be read; cut after 64 bytes
	Reason string // why, in words: `unsupported kty "AKP"`, `use "enc", not "sig"`, …
}

// parseDocument reads a key set. A key that can't be used is skipped alone (RFC 7517, Section 5). A set without one
// usable key is an error: that is what an issuer's outage looks like, and it verifies nothing anyhow.
func parseDocument(document []byte) ([]*Key, []Skipped, error) {
	object, err := parseObject(document)
	if err != nil {
		return nil, nil, err
	}
	raw, ok := object["keys"]
	if !ok {
		return nil, nil, errors.New(`not a key set: no "keys"`)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || all == nil {
		return nil, nil, errors.New(`not a key set: "keys" is not an array`)
	}
	if len(all) > maxKeys {
		return nil, nil, fmt.Errorf("the key set has %d keys, more than %d", len(all), maxKeys)
	}
	var keys []*Key
	var skipped []Skipped
	perKID := map[string]int{}
	for _, raw := range all {
		k, id, err := parseJWK(raw)
		if err == nil {
			keys, err = addKey(keys, k, perKID)
		}
		if err != nil {
			skipped = append(skipped, Skipped{ID: weburl.Clip(id, maxText), Reason: err.Error()})
		}
	}
	if len(keys) == 0 {
		return nil, skipped, noUsableKey(skipped)
	}
	return keys, skipped, nil
}

// addKey appends k to keys, of which perKID counts how many share a kid.
func addKey(keys []*Key, k *Key, perKID map[string]int) ([]*Key, error) {
	if k.id != "" && perKID[k.id] >= maxKeysPerKID {
		return keys, fmt.Errorf("more than %d keys with this kid", maxKeysPerKID)
	}
	if perKID[k.id] > 0 && slices.ContainsFunc(keys, k.same) {
		return keys, errors.New("the same key again")
	}
	perKID[k.id]++
	return append(keys, k), nil
}

func noUsableKey(skipped []Skipped) error {
	if len(skipped) == 0 {
		return errors.New("no usable key: the key set is empty")
	}
	first := skipped[0]
	return fmt.Errorf("no usable key: %d skipped, the first (kid %q): %s", len(skipped), first.ID, first.Reason)
}

// withReasons adds to an error of parseDocument why the keys after the first were skipped. Key sets are small, but a
// hostile document may not be, so there are at most maxReasons.
func withReasons(err error, skipped []Skipped) error {
	for i, s := range skipped {
		if i == maxReasons {
			return fmt.Errorf("%w; and %d more", err, len(skipped)-i)
		}
		if i > 0 {
			err = fmt.Errorf("%w; kid %q: %s", err, s.ID, s.Reason)
		}
	}
	return err
}

// parseObject reads exactly one JSON object, with nothing after it.
func parseObject(document []byte) (map[string]json.RawMessage, error) {
	if trimmed := bytes.TrimLeft(document, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, errors.New("not a JSON object")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(document, &object); err != nil {
		return nil, errors.New("not valid JSON")
	}
	return object, nil
}

// formatDocument returns the key set document that publishes keys.
func formatDocument(keys []*Key) ([]byte, error) {
	set := struct {
		Keys []publicJWK `json:"keys"`
	}{Keys: make([]publicJWK, 0, len(keys))}
	for _, k := range keys {
		jwk, err := newPublicJWK(k.public)
		if err != nil {
			return nil, err
		}
		jwk.ID, jwk.Use, jwk.Algorithm = k.id, "sig", k.algorithm
		set.Keys = append(set.Keys, jwk)
	}
	return json.Marshal(set)
}
