package authtest

import (
	"encoding/json"
	"slices"

	"github.com/bearergate/bearergate/middleware"
)

// BadToken is one classic attack on validators of JWTs, or one classic mistake.
type BadToken struct {
	Name   string // what is wrong, in words
	Token  string
	Err    error  // the class of the error: errors.Is(err, bad.Err)
	Reason string // the reason of the error: middleware.Reason(err)
}

// BadTokens returns more than a hundred classic attacks and mistakes, so that you can prove that your deployment
// rejects every one of them. Each is made with this issuer's own keys. Except for the one thing that is wrong, it is
// as valid as [Issuer.Token].
//
// Err and Reason are those of [middleware.Validator.Validate] with [Issuer.Config]. Over HTTP the answer to all of
// them is 401, or 400 if the text cannot be in an Authorization header at all. The order is always the same.
//
// The issuer publishes the keys that BadTokens needs for other algorithms from then on. It publishes those that no
// issuer should have only after [Issuer.PublishWeakKeys].
func (iss *Issuer) BadTokens() []BadToken {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	b := &badTokens{iss: iss, key: iss.key(iss.alg)}
	b.valid = iss.sign(iss.draft(), b.key)
	b.algorithms()
	b.keys()
	b.signatures()
	b.headers()
	b.forms()
	b.payloads()
	b.claims()
	return b.list
}

// badTokens builds the list of BadTokens. The issuer's mutex is held.
type badTokens struct {
	iss   *Issuer
	key   *key   // the signing key
	valid string // a token with nothing wrong
	list  []BadToken
}

func (b *badTokens) addToken(name, token, reason string) {
	b.list = append(b.list, BadToken{Name: name, Token: token, Err: middleware.ErrInvalidToken, Reason: reason})
}

// addSigned adds a token that the issuer signs.
func (b *badTokens) addSigned(name, reason string, mods ...Mod) {
	d := b.iss.draft(append(mods, Mod{func(d *draft) { d.alg = b.key.alg }})...)
	b.addToken(name, b.iss.sign(d, b.key), reason)
}

// addForged adds a token that is signed with k, as if k were the issuer's key.
func (b *badTokens) addForged(name, reason string, k *key, mods ...Mod) {
	b.addToken(name, b.iss.sign(b.iss.draft(mods...), k), reason)
}

// addText adds a token with the given header and payload that the issuer signs. Empty means that of a valid token.
func (b *badTokens) addText(name, header, payload, reason string) {
	if header == "" {
		header = b.header("")
	}
	if payload == "" {
		payload = b.payload("")
	}
	b.addToken(name, b.iss.seal(b64([]byte(header))+"."+b64([]byte(payload)), b.key), reason)
}

// header returns a valid header with more members.
func (b *badTokens) header(more string) string {
	return `{"alg":"` + b.key.alg + `","typ":"at+jwt","kid":"` + b.key.id + `"` + more + `}`
}

// payload returns a valid payload with more members, and without some.
func (b *badTokens) payload(more string, without ...string) string {
	d := b.iss.draft()
	for name := range d.claims {
		if slices.Contains(without, name) {
			delete(d.claims, name)
		}
	}
	text, err := json.Marshal(d.claims)
	b.iss.must(err)
	return string(text[:len(text)-1]) + more + "}"
}
