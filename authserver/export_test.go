package authserver

// SignatureAlgorithms are those that metadata announces.
var SignatureAlgorithms = signatureAlgorithms

// A SignedToken is what ReadSignedToken has read.
type SignedToken struct {
	Issuer, Subject, SessionID, ID string
	Audience                       []string
	Signature                      []byte
}

// ReadSignedToken reads a client assertion or an ID token that comes back.
func ReadSignedToken(raw string) (*SignedToken, error) {
	t, err := readSignedToken(raw)
	if err != nil {
		return nil, err
	}
	return &SignedToken{t.issuer, t.subject, t.sessionID, t.id, t.audience, t.message.Signature}, nil
}
