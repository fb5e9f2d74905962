package authclient

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// maxExpiresIn is the longest lifetime in seconds, 68 years. x/oauth2 has the same limit.
const maxExpiresIn = 1<<31 - 1

// decodeTokenResponse decodes the members of a token response, whose names are case-sensitive. encoding/json ignores
// the case when it decodes into a struct.
func decodeTokenResponse(body []byte) (map[string]any, error) {
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, errors.New("token endpoint: the answer is not a JSON object") // err would quote it
	}
	return members, nil
}

// tokenFrom returns the successor of prev, from a successful answer to a request that was sent at the time sent.
// Members that the answer does not have keep their values: refresh_token and scope (RFC 6749, Section 6), token_type,
// id_token. Unknown members are available by Extra.
func tokenFrom(members map[string]any, prev *oauth2.Token, sent time.Time) (*oauth2.Token, error) {
	next := &oauth2.Token{
		AccessToken:  stringMember(members, "access_token", ""),
		TokenType:    stringMember(members, "token_type", prev.TokenType),
		RefreshToken: stringMember(members, "refresh_token", prev.RefreshToken),
	}
	if err := checkToken(next); err != nil {
		return nil, fmt.Errorf("token endpoint: %s", strings.TrimPrefix(err.Error(), "authclient: "))
	}
	next.TokenType = scheme(next)
	if seconds := expiresIn(members["expires_in"]); seconds > 0 {
		next.ExpiresIn = seconds
		next.Expiry = sent.Round(0).Add(time.Duration(seconds) * time.Second)
	}
	before, _ := prev.Extra("id_token").(string)
	if now := stringMember(members, "id_token", ""); now != "" && before != "" {
		if err := sameLogin(before, now); err != nil {
			// The refresh token is spent, and the new tokens are somebody else's: neither may be used.
			return nil, &grantEndedError{cause: fmt.Errorf("token endpoint: %w", err), permanent: true}
		}
	}
	extra := make(map[string]any, len(members))
	maps.Copy(extra, members)
	for _, name := range []string{"id_token", "scope"} {
		if stringMember(members, name, "") == "" {
			delete(extra, name)
			if value, _ := prev.Extra(name).(string); value != "" {
				extra[name] = value
			}
		}
	}
	return next.WithExtra(extra), nil
}

// stringMember returns the string member name, or fallback if it is missing, empty or not a string.
func stringMember(members map[string]any, name, fallback string) string {
	if s, _ := members[name].(string); s != "" {
		return s
	}
	return fallback
}

// expiresIn returns the lifetime in seconds, or 0 if it is unknown. Some servers send the number as a string.
func expiresIn(value any) int64 {
	var f float64
	switch v := value.(type) {
	case float64:
		f = v
	case string:
		var err error
		if f, err = strconv.ParseFloat(strings.TrimSpace(v), 64); err != nil {
			return 0
		}
	}
	if !(f >= 1) { // NaN too
		return 0
	}
	return int64(min(f, maxExpiresIn))
}

// loginClaims are the claims that an ID token from a refresh must share with the one from the login.
type loginClaims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Party    string          `json:"azp"`
	AuthTime json.RawMessage `json:"auth_time"`
}

// sameLogin returns an error if a claim of the ID token now differs from before, and must not (OpenID Connect Core,
// Section 12.2). It does not verify signatures: now comes from the token endpoint itself, over TLS (Section 3.1.3.7,
// point 6), and the caller has validated the one from the login. An encrypted ID token cannot be compared.
func sameLogin(before, now string) error {
	old, ok := readLogin(before)
	if !ok {
		return nil
	}
	fresh, ok := readLogin(now)
	switch {
	case !ok:
		return errors.New("id_token cannot be read")
	case fresh.Issuer != old.Issuer:
		return errors.New("id_token has another iss than at login")
	case fresh.Subject != old.Subject:
		return errors.New("id_token has another sub than at login")
	case !slices.Equal(audiences(fresh.Audience), audiences(old.Audience)):
		return errors.New("id_token has another aud than at login")
	case fresh.Party != old.Party:
		return errors.New("id_token has another azp than at login")
	case len(fresh.AuthTime) > 0 && len(old.AuthTime) > 0 && !bytes.Equal(fresh.AuthTime, old.AuthTime):
		return errors.New("id_token has another auth_time than at login")
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

// audiences returns the sorted values of an aud claim, which is a string or an array of strings.
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
