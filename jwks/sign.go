package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
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
	header, err := k.header(typ)
	if err != nil {
		return "", fmt.Errorf("jwks: signing: %w", err)
	}
	enc := base64.RawURLEncoding
	token := make([]byte, 0, len(header)+1+enc.EncodedLen(len(payload))+1+enc.EncodedLen(k.public.signatureSize))
	token = append(append(token, header...), '.')
	token = enc.AppendEncode(token, payload)
	signature, err := k.signature(token)
	if err != nil {
		return "", fmt.Errorf("jwks: signing: %w", err)
	}
	return string(enc.AppendEncode(append(token, '.'), signature)), nil
}

// signature returns the signature of input as a JWS holds it. Some hardware leaves out the zeros that an RSA signature begins
// with once in a while, and nobody accepts such a token (RFC 8017, Section 8.2.2).
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
