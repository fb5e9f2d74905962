package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

// A chain is a grant that one connection refreshes, one refresh token after the other.
type chain struct {
	conn    *harness.Conn
	head    []byte // of the request, without the length of the body
	token   []byte
	request []byte
	answer  []byte // the last one
}

func newChain(addr, path, token string) (*chain, error) {
	conn, err := harness.Dial(addr)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ", path, addr)
	return &chain{conn: conn, head: []byte(head), token: []byte(token)}, nil
}

const form = "grant_type=refresh_token&client_id=" + clientID + "&refresh_token="

// next refreshes the grant.
func (c *chain) next() error {
	c.request = append(c.request[:0], c.head...)
	c.request = strconv.AppendInt(c.request, int64(len(form)+len(c.token)), 10)
	c.request = append(append(append(c.request, "\r\n\r\n"...), form...), c.token...)
	status, body, err := c.conn.Do(c.request)
	if err != nil {
		return err
	}
	token, ok := member(body, `"refresh_token":"`)
	if status != http.StatusOK || !ok || bytes.Equal(token, c.token) {
		return fmt.Errorf("a refresh was answered with %d and no new refresh token", status)
	}
	c.token = append(c.token[:0], token...)
	c.answer = body
	return nil
}

// member finds the string that follows name. That is enough here: inspect parses the answers that are checked.
func member(body []byte, name string) ([]byte, bool) {
	_, rest, ok := bytes.Cut(body, []byte(name))
	if !ok {
		return nil, false
	}
	value, _, ok := bytes.Cut(rest, []byte(`"`))
	return value, ok && len(value) >= 16
}

// inspect reports what is wrong with the last answer: it must have a refresh token, and an access token and an ID token
// that verify with the server's keys, ES256.
func (c *chain) inspect(keySet string) error {
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
		Expires int    `json:"expires_in"`
	}
	if err := json.Unmarshal(c.answer, &answer); err != nil {
		return err
	}
	if answer.Refresh != string(c.token) || answer.Access == "" || answer.Access == answer.ID || answer.Expires < 60 {
		return fmt.Errorf("an answer is incomplete: refresh token %t, access token %t, expires_in %d", answer.Refresh != "", answer.Access != "", answer.Expires)
	}
	keys, err := keyfunc.NewJWKSetJSON(json.RawMessage(keySet))
	if err != nil {
		return err
	}
	for _, t := range []struct{ name, text, audience string }{{"access token", answer.Access, audience}, {"ID token", answer.ID, clientID}} {
		var claims jwt.RegisteredClaims
		_, err := jwt.ParseWithClaims(t.text, &claims, keys.Keyfunc, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(issuer),
			jwt.WithSubject(subject), jwt.WithExpirationRequired(), jwt.WithAudience(t.audience), jwt.WithLeeway(time.Second))
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}
