package authserver

import (
	"encoding/json"
	"time"
)

// commonClaims are in access tokens and ID tokens. The order of the members here is their order in a token.
type commonClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	AuthTime *int64   `json:"auth_time,omitempty"` // from here on only if there is a grant
	Session  string   `json:"sid,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
}

// accessClaims are those of RFC 9068, Section 2.2.
type accessClaims struct {
	Audience any `json:"aud"` // a string if there is one
	commonClaims
	ClientID string `json:"client_id"`
	ID       string `json:"jti"`
	Scope    string `json:"scope"`
}

// idClaims are those of OpenID Connect Core, Section 2.
type idClaims struct {
	Audience string `json:"aud"`
	commonClaims
	Nonce string `json:"nonce,omitempty"`
}

func (s *Server) commonClaims(in *issue, now, until time.Time) commonClaims {
	c := commonClaims{Issuer: s.cfg.Issuer, Subject: in.subject, IssuedAt: now.Unix(), Expires: until.Unix()}
	if g := in.grant; g != nil {
		authTime := g.AuthTime.Unix()
		c.AuthTime, c.Session, c.ACR, c.AMR = &authTime, g.SessionID, g.ACR, g.AMR
	}
	return c
}

// withMembers returns claims as a JSON object with further members. No name may be in both, see reserved.
func withMembers(claims any, more map[string]any) (json.RawMessage, error) {
	text, err := json.Marshal(claims)
	if err != nil || len(more) == 0 {
		return text, err
	}
	further, err := json.Marshal(more)
	if err != nil {
		return nil, err
	}
	return append(append(text[:len(text)-1], ','), further[1:]...), nil
}
