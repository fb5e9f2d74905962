package jwks

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Sign makes a compact JWS of claims with the active key. Its header holds alg, kid and typ ("at+jwt" for access tokens, RFC
// 9068, section 2.1); an empty typ means "JWT". claims is anything that encoding/json makes a JSON object
// of: a struct, a map, a jwt.Claims; nothing is added to it and nothing of it is judged. A json.RawMessage is signed as it
// stands, without a look at what is between its braces. It fails with ErrUnavailable when there is no key and the store
// cannot be had, and with the signer's own error.
func (r *Rotator) Sign(ctx context.Context, typ string, claims any) (string, error) {
	v, err := r.current(ctx)
	if err != nil {
		return "", err
	}
	k := v.active(r.cfg.Now())
	if k == nil {
		// Only if this node's clock is behind that of the node that made the first key.
		k = v.keys[0]
	}
	payload, written := claims.(json.RawMessage)
	if !written {
		if payload, err = json.Marshal(claims); err != nil {
			return "", fmt.Errorf("jwks: signing: %w", err)
		}
	}
	if n := len(payload); n < 2 || payload[0] != '{' || payload[n-1] != '}' {
		return "", fmt.Errorf("jwks: signing: the claims are no JSON object but a %T", claims)
	}
	return k.sign(typ, payload)
}

// sign puts the three segments together in one buffer.
func (k *signingKey) sign(typ string, payload []byte) (string, error) {
	how, ok := signings[k.public.algorithm]
	if !ok {
		return "", fmt.Errorf("jwks: unsupported alg %q", k.public.algorithm)
	}
	header, err := k.header(typ)
	if err != nil {
		return "", fmt.Errorf("jwks: signing: %w", err)
	}
	enc := base64.RawURLEncoding
	token := make([]byte, 0, len(header)+1+enc.EncodedLen(len(payload))+1+enc.EncodedLen(how.room))
	token = append(append(token, header...), '.')
	token = enc.AppendEncode(token, payload)
	signature, err := k.signer.Sign(rand.Reader, how.digest(token), how.opts)
	switch {
	case err != nil:
	case how.size > 0:
		signature, err = joinECDSA(signature, how.size)
	case len(signature) != k.public.signatureSize():
		err = fmt.Errorf("the signer returned %d bytes, not the %d of this key", len(signature), k.public.signatureSize())
	}
	if err != nil {
		return "", fmt.Errorf("jwks: signing: %w", err)
	}
	return string(enc.AppendEncode(append(token, '.'), signature)), nil
}

// signatureSize is how long a signature of an RSA or Ed25519 key is. Some hardware leaves out the zeros that an RSA signature begins
// with once in a while, and nobody accepts such a token (RFC 8017, section 8.2.2).
func (k *Key) signatureSize() int {
	if public, ok := k.public.(*rsa.PublicKey); ok {
		return public.Size()
	}
	return ed25519.SignatureSize
}

// signing says how an algorithm of RFC 7518 asks a crypto.Signer for a signature.
type signing struct {
	opts crypto.SignerOpts
	size int // of each of the two numbers of an ECDSA signature
	room int // for the signature
}

var signings = map[string]signing{
	"RS256": {crypto.SHA256, 0, minRSABits / 8}, "RS384": {crypto.SHA384, 0, minRSABits / 8}, "RS512": {crypto.SHA512, 0, minRSABits / 8},
	"PS256": {pss(crypto.SHA256), 0, minRSABits / 8}, "PS384": {pss(crypto.SHA384), 0, minRSABits / 8}, "PS512": {pss(crypto.SHA512), 0, minRSABits / 8},
	"ES256": {crypto.SHA256, 32, 64}, "ES384": {crypto.SHA384, 48, 96}, "ES512": {crypto.SHA512, 66, 132},
	"EdDSA": {crypto.Hash(0), 0, 64},
}

// pss: the salt is as long as the hash (RFC 7518, section 3.5).
func pss(hash crypto.Hash) crypto.SignerOpts {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
}

// digest is what the signer is given: EdDSA hashes by itself.
func (s signing) digest(text []byte) []byte {
	switch hash := s.opts.HashFunc(); hash {
	case 0:
		return text
	case crypto.SHA256:
		sum := sha256.Sum256(text)
		return sum[:]
	default:
		h := hash.New()
		h.Write(text)
		return h.Sum(nil)
	}
}

// Types that have their header made in advance.
const (
	typAccess = "at+jwt"
	typJWT    = "JWT"
)

// header is the first segment. It is the same for all tokens of a key and a type.
func (k *signingKey) header(typ string) (string, error) {
	switch typ {
	case typAccess:
		return k.accessHeader, nil
	case typJWT, "":
		return k.jwtHeader, nil
	}
	return formatHeader(k.public, typ)
}

func formatHeader(k *Key, typ string) (string, error) {
	text, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		ID        string `json:"kid"`
		Type      string `json:"typ"`
	}{k.algorithm, k.id, typ})
	return base64.RawURLEncoding.EncodeToString(text), err
}
