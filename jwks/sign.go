package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Sign returns a compact JWS of claims, signed with the active key. Its header holds alg, kid and typ ("at+jwt" for
// access tokens, RFC 9068, Section 2.1); an empty typ means "JWT".
//
// claims is anything that encoding/json makes a JSON object of: a struct, a map, a jwt.Claims. Sign adds nothing to it
// and checks nothing in it. A json.RawMessage is signed as it is, and only its braces are checked.
//
// Errors: ErrUnavailable if there is no key and the store can't be reached, and the signer's own error.
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
	token, err := k.sign(typ, payload)
	if err != nil {
		return "", fmt.Errorf("jwks: signing: %w", err)
	}
	return token, nil
}

func (k *signingKey) sign(typ string, payload []byte) (string, error) {
	if typ == "" {
		typ = "JWT"
	}
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		ID        string `json:"kid"`
		Type      string `json:"typ"`
	}{k.public.algorithm, k.public.id, typ})
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	size := enc.EncodedLen(len(header)) + 1 + enc.EncodedLen(len(payload)) + 1 + enc.EncodedLen(k.public.signatureSize)
	token := make([]byte, 0, size)
	token = append(enc.AppendEncode(token, header), '.')
	token = enc.AppendEncode(token, payload)
	signature, err := k.signature(token)
	if err != nil {
		return "", err
	}
	return string(enc.AppendEncode(append(token, '.'), signature)), nil
}

// signature returns the signature of input as a JWS holds it. Some hardware leaves out the zeros that an RSA signature
// begins with once in a while, and nobody accepts such a token (RFC 8017, Section 8.2.2).
func (k *signingKey) signature(input []byte) ([]byte, error) {
	alg, size, message := algorithms[k.public.algorithm], k.public.signatureSize, input
	if alg == nil {
		return nil, fmt.Errorf("unsupported alg %q", k.public.algorithm)
	}
	if alg.hash != 0 {
		message = alg.appendHash(nil, input)
	}
	signature, err := k.signer.Sign(rand.Reader, message, alg.options())
	if err != nil {
		return nil, err
	}
	if _, ok := k.public.public.(*ecdsa.PublicKey); ok {
		return parseECDSA(signature, size/2)
	}
	if len(signature) != size {
		return nil, fmt.Errorf("the signer returned %d bytes, not the %d of this key", len(signature), size)
	}
	return signature, nil
}
