package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
)

// place is where a refresh token stands: in which session, and at which generation. No client should look into its refresh tokens;
// this one does because it is there to find out whether two different ones were given out for one place.
type place struct {
	Grant      string
	Generation uint32
}

var errStrangeToken = errors.New("a refresh token of unknown form")

// placeOf reads the form that package authserver gives its refresh tokens.
func placeOf(token string) (place, error) {
	text, ok := strings.CutPrefix(token, "rt1_")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) < 22 {
		return place{}, errStrangeToken
	}
	return place{Grant: base64.RawURLEncoding.EncodeToString(raw[2:18]), Generation: binary.BigEndian.Uint32(raw[18:22])}, nil
}

// signedWith returns the kid of an access token.
func signedWith(token string) (string, error) {
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
