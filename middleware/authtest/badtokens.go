package authtest

import (
	"encoding/json"
	"slices"

	"github.com/bearergate/bearergate/middleware"
)

// A BadToken is one classic attack on verifiers of JWTs, or one classic mistake.
type BadToken struct {
	Name   string // what is wrong, in words
	Token  string
	Err    error  // the class of the refusal: errors.Is(err, bad.Err)
	Reason string // the reason of the refusal: middleware.Reason(err)
}

// BadTokens returns about ninety classic attacks and mistakes, each made against this issuer's own keys and, but for the
// one thing that is wrong, as good as [Issuer.Token]: prove that your deployment refuses every one of them. Err and
// Reason are those of [middleware.Validator.Validate] with [Issuer.Config]; over HTTP the answer to all of them is 401,
// or 400 where the text can't be in an Authorization header at all. Their order is always the same. The keys that it needs
// for other algorithms are published from then on, those that no issuer should have only by [Issuer.PublishWeakKeys].
func (iss *Issuer) BadTokens() []BadToken {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	b := &badTokens{iss: iss, key: iss.key(iss.alg)}
	b.good = iss.sign(iss.draft(), b.key)
	b.algorithms()
	b.keys()
	b.signatures()
	b.headers()
	b.forms()
	b.payloads()
	b.claims()
	return b.list
}

// badTokens is BadTokens at work. The issuer's mutex is held.
type badTokens struct {
	iss  *Issuer
	key  *key   // that signs
	good string // a token with nothing wrong
	list []BadToken
}

func (b *badTokens) add(name, token, reason string) {
	b.list = append(b.list, BadToken{Name: name, Token: token, Err: middleware.ErrInvalidToken, Reason: reason})
}

// mods adds a token that the issuer signs.
func (b *badTokens) mods(name, reason string, mods ...Mod) {
	d := b.iss.draft(append(mods, Mod{func(d *draft) { d.alg = b.key.alg }})...)
	b.add(name, b.iss.sign(d, b.key), reason)
}

// forged adds a token that somebody else signs, with a key of his own, as if he were the issuer.
func (b *badTokens) forged(name, reason string, k *key, mods ...Mod) {
	b.add(name, b.iss.sign(b.iss.draft(mods...), k), reason)
}

// texts adds a token of two texts that the issuer signs; an empty one stands for that of a good token.
func (b *badTokens) texts(name, header, payload, reason string) {
	if header == "" {
		header = b.header("")
	}
	if payload == "" {
		payload = b.payload("")
	}
	b.add(name, b.iss.seal(b64([]byte(header))+"."+b64([]byte(payload)), b.key), reason)
}

// header is the text of a good header with more members.
func (b *badTokens) header(more string) string {
	return `{"alg":"` + b.key.alg + `","typ":"at+jwt","kid":"` + b.key.id + `"` + more + `}`
}

// payload is the text of a good payload with more members, without some.
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
