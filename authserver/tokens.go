package authserver

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"
)

// Issuance is what is about to be issued, for [Config].BeforeIssue. The function may add to the maps, except names that
// the server sets itself. It must not change the other fields.
type Issuance struct {
	GrantType string // authorization_code, refresh_token, client_credentials, or issue_tokens for [Server.IssueTokens]
	Client    *Client
	User      *User // nil with client_credentials
	Scopes    []string
	Audience  []string

	AccessClaims map[string]any // further claims of the access token
	IDClaims     map[string]any // further claims of the ID token
	Response     map[string]any // further members of the token response
}

// Tokens is a successful answer of the token endpoint (RFC 6749, Section 5.1).
type Tokens struct {
	AccessToken  string
	TokenType    string // Bearer
	ExpiresIn    time.Duration
	RefreshToken string
	IDToken      string
	Scope        string
	Extra        map[string]any // further top-level members
}

// tokenAnswer has the members in the order in which a map of them is written.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int64  `json:"expires_in"`
	IDToken      string `json:"id_token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	TokenType    string `json:"token_type"`
}

// MarshalJSON writes all members at the top level.
func (t Tokens) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(t.answer())
	if err != nil || len(t.Extra) == 0 {
		return text, err
	}
	all := maps.Clone(t.Extra)
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

func (t *Tokens) answer() tokenAnswer {
	return tokenAnswer{t.AccessToken, int64(t.ExpiresIn / time.Second), t.IDToken, t.RefreshToken, t.Scope, t.TokenType}
}

// String keeps the tokens out of whatever is printed.
func (t Tokens) String() string { return t.LogValue().String() }

// Format prints String for every verb, %#v too.
func (t Tokens) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue keeps the tokens out of logs.
func (t Tokens) LogValue() slog.Value {
	return slog.GroupValue(slog.String("token_type", t.TokenType), slog.Duration("expires_in", t.ExpiresIn),
		slog.String("scope", t.Scope), slog.Bool("refresh_token", t.RefreshToken != ""),
		slog.Bool("id_token", t.IDToken != ""))
}
