package authclient

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// loginClaims are what an ID token from a refresh must have in common with the one from the sign-in.
type loginClaims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Party    string          `json:"azp"`
	AuthTime json.RawMessage `json:"auth_time"`
}

// sameLogin reports in what the ID token now differs from the ID token before though it must not (OpenID Connect Core,
// section 12.2). It does not verify signatures: the tokens come from the token endpoint itself, over TLS (section 3.1.3.7,
// point 6), and the one from the sign-in is the caller's to judge. An encrypted ID token can't be compared.
func sameLogin(before, now string) error {
	old, ok := readLogin(before)
	if !ok {
		return nil
	}
	fresh, ok := readLogin(now)
	switch {
	case !ok:
		return fmt.Errorf("id_token can't be read")
	case fresh.Issuer != old.Issuer:
		return fmt.Errorf("id_token has another iss than at sign-in")
	case fresh.Subject != old.Subject:
		return fmt.Errorf("id_token has another sub than at sign-in")
	case !slices.Equal(audiences(fresh.Audience), audiences(old.Audience)):
		return fmt.Errorf("id_token has another aud than at sign-in")
	case fresh.Party != old.Party:
		return fmt.Errorf("id_token has another azp than at sign-in")
	case len(fresh.AuthTime) > 0 && len(old.AuthTime) > 0 && !bytes.Equal(fresh.AuthTime, old.AuthTime):
		return fmt.Errorf("id_token has another auth_time than at sign-in")
	}
	return nil
}

func readLogin(token string) (loginClaims, bool) {
	var claims loginClaims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims, false
	}
	return claims, json.Unmarshal(payload, &claims) == nil
}

// audiences returns the values of an aud claim, which is a string or an array of them, in one order.
func audiences(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	_ = json.Unmarshal(raw, &many)
	slices.Sort(many)
	return slices.Compact(many)
}
