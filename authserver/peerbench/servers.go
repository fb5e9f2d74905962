package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

// The servers are configured with one public client, one user and one API.
const (
	issuer   = "http://127.0.0.1:5000" // only a name: the servers listen on other ports
	clientID = "app"
	subject  = "id1"
	audience = "api1"
)

var scopes = []string{"openid", "offline_access", "api1"}

// A server is one of the servers that are compared.
type server struct {
	handler http.Handler
	path    string                                              // of the token endpoint
	keySet  func() ([]byte, error)                              // what it signs with, as a JWK set
	grant   func(ctx context.Context) (token string, err error) // starts one and returns its refresh token
}

// makers are the servers, by the names that the table has.
var makers = map[string]func() (*server, error){
	ours:           newBearergate,
	"zitadel/oidc": newZitadel,
	"ory/fosite":   newFosite,
	floorName:      newFloor,
}

const (
	ours      = "Bearergate"
	floorName = "floor: net/http, form, map, two raw signatures, JSON"
)

// serve is the process of a server. It answers three questions: path, keys, and grants N.
func serve(role string) error {
	make, known := makers[role]
	if !known {
		return fmt.Errorf("no such server: %q", role)
	}
	s, err := make()
	if err != nil {
		return err
	}
	return harness.Serve(s.handler, func(question string) (string, error) {
		name, argument, _ := strings.Cut(question, " ")
		switch name {
		case "path":
			return s.path, nil
		case "keys":
			doc, err := s.keySet()
			if err != nil {
				return "", err
			}
			return oneLine(json.RawMessage(doc))
		case "grants":
			n, err := strconv.Atoi(argument)
			if err != nil {
				return "", err
			}
			tokens := []string{}
			for range n {
				token, err := s.grant(context.Background())
				if err != nil {
					return "", err
				}
				tokens = append(tokens, token)
			}
			return oneLine(tokens)
		}
		return "", fmt.Errorf("no such question: %q", question)
	})
}

func oneLine(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
