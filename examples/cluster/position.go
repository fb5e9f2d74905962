package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
)

// position is the grant and the generation of a refresh token. No real client should parse its refresh tokens. This one
// does, in order to detect two different tokens for one position.
type position struct {
	Grant      string
	Generation uint32
}

var errUnknownToken = errors.New("a refresh token of unknown format")

// parsePosition parses the format of refresh tokens of package authserver.
func parsePosition(token string) (position, error) {
	text, ok := strings.CutPrefix(token, "rt1_")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) < 22 {
		return position{}, errUnknownToken
	}
	grant := base64.RawURLEncoding.EncodeToString(raw[2:18])
	return position{Grant: grant, Generation: binary.BigEndian.Uint32(raw[18:22])}, nil
}

// keyID returns the kid of an access token.
func keyID(token string) (string, error) {
	header, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return "", err
	}
	var h struct {
		KeyID string `json:"kid"`
	}
	err = json.Unmarshal(raw, &h)
	return h.KeyID, err
}
