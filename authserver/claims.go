package authserver

import (
	"encoding/json"
	"time"
)

// claimsRoom is more than the server's own claims take as a rule.
const claimsRoom = 640

// accessClaims are those of RFC 9068 section 2.2, and more. None of more has a name that the server sets, see reserved.
func (s *Server) accessClaims(in *issue, audience []string, scope, jti string, now, until time.Time, more map[string]any) (json.RawMessage, error) {
	o := newObject(claimsRoom)
	if len(audience) == 1 {
		o.string("aud", audience[0])
	} else {
		o.strings("aud", audience)
	}
	s.commonClaims(&o, in, now, until)
	o.string("client_id", in.client.ID)
	o.string("jti", jti)
	o.string("scope", scope)
	o.members(more)
	return o.end()
}

// idClaims are those of OpenID Connect Core section 2, and more, as above.
func (s *Server) idClaims(in *issue, now, until time.Time, more map[string]any) (json.RawMessage, error) {
	o := newObject(claimsRoom)
	o.string("aud", in.client.ID)
	s.commonClaims(&o, in, now, until)
	o.optional("nonce", in.nonce)
	o.members(more)
	return o.end()
}

// commonClaims are in both.
func (s *Server) commonClaims(o *object, in *issue, now, until time.Time) {
	o.string("iss", s.cfg.Issuer)
	o.string("sub", in.subject)
	o.number("iat", now.Unix())
	o.number("exp", until.Unix())
	if in.grant == nil {
		return
	}
	o.number("auth_time", in.grant.AuthTime.Unix())
	o.string("sid", in.grant.SessionID)
	o.optional("acr", in.grant.ACR)
	if len(in.grant.AMR) > 0 {
		o.strings("amr", in.grant.AMR)
	}
}
