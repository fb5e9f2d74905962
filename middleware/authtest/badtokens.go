package authtest

// A BadToken is one classic attack, or mistake.
type BadToken struct {
	Name   string // what is wrong, in words
	Token  string
	Err    error  // the class of the refusal: errors.Is(err, bad.Err)
	Reason string // middleware.Reason(err)
}

// BadTokens returns the classic attacks on verifiers of JWTs, minted by this issuer.
func (iss *Issuer) BadTokens() []BadToken { return nil }
