package authclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// maxExpiresIn is the longest lifetime in seconds that is taken as said, 68 years; x/oauth2 has the same limit.
const maxExpiresIn = 1<<31 - 1

// decodeAnswer decodes the members of a token response. Their names are case-sensitive, which encoding/json's structs
// are not.
func decodeAnswer(body []byte) (map[string]any, error) {
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, errors.New("token endpoint: answer is not a JSON object") // err quotes it
	}
	return members, nil
}

// tokenFrom makes the successor of prev out of a successful answer to a request sent at the time sent. What the answer does
// not mention stays: refresh_token and scope (RFC 6749, section 6), token_type, id_token. Members it does not know can be
// had by Extra.
func tokenFrom(members map[string]any, prev *oauth2.Token, sent time.Time) (*oauth2.Token, error) {
	next := &oauth2.Token{
		AccessToken:  text(members, "access_token", ""),
		TokenType:    text(members, "token_type", prev.TokenType),
		RefreshToken: text(members, "refresh_token", prev.RefreshToken),
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
	if now := text(members, "id_token", ""); now != "" && before != "" {
		if err := sameLogin(before, now); err != nil {
			// The refresh token is spent and what came for it is somebody else's: neither may be used.
			return nil, &endedError{cause: fmt.Errorf("token endpoint: %w", err), forGood: true}
		}
	}
	extra := make(map[string]any, len(members))
	for name, value := range members {
		extra[name] = value
	}
	for _, name := range []string{"id_token", "scope"} {
		if text(members, name, "") == "" {
			delete(extra, name)
			if value, _ := prev.Extra(name).(string); value != "" {
				extra[name] = value
			}
		}
	}
	return next.WithExtra(extra), nil
}

// text returns the string member name, or otherwise if it is missing, empty or no string.
func text(members map[string]any, name, otherwise string) string {
	if s, _ := members[name].(string); s != "" {
		return s
	}
	return otherwise
}

// expiresIn returns the lifetime in seconds, 0 if it is unknown. Some servers send the number as a string.
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
