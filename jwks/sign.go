package jwks

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// Sign makes a compact JWS of claims with the active key. Its header holds alg, kid and typ ("at+jwt" for access tokens, RFC
// 9068, section 2.1); an empty typ means "JWT". It fails with ErrUnavailable when there is no key and the store cannot be had,
// and with the signer's own error.
func (r *Rotator) Sign(ctx context.Context, typ string, claims jwt.Claims) (string, error) {
	v, err := r.current(ctx)
	if err != nil {
		return "", err
	}
	k := v.active(r.cfg.Now())
	if k == nil {
		// Only if this node's clock is behind that of the node that made the first key.
		k = v.keys[0]
	}
	method, key, err := signingMethod(k)
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = k.public.id
	if typ != "" {
		token.Header["typ"] = typ
	}
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("jwks: signing: %w", err)
	}
	return signed, nil
}

// signingMethod is golang-jwt's own for keys that are here, and an adapter of it for keys that are held elsewhere.
func signingMethod(k *signingKey) (jwt.SigningMethod, any, error) {
	method := jwt.GetSigningMethod(k.public.algorithm)
	if method == nil {
		return nil, nil, fmt.Errorf("jwks: unsupported alg %q", k.public.algorithm)
	}
	switch k.signer.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		return method, k.signer, nil
	}
	return outsideMethod{method}, k.signer, nil
}

// outsideMethod signs with a crypto.Signer, where golang-jwt wants the private key itself.
type outsideMethod struct{ jwt.SigningMethod }

func (m outsideMethod) Sign(text string, key any) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, jwt.ErrInvalidKeyType
	}
	var hash crypto.Hash
	var opts crypto.SignerOpts
	switch method := m.SigningMethod.(type) {
	case *jwt.SigningMethodRSA:
		hash, opts = method.Hash, method.Hash
	case *jwt.SigningMethodRSAPSS:
		// RFC 7518, section 3.5: the salt is as long as the hash.
		hash, opts = method.Hash, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: method.Hash}
	case *jwt.SigningMethodECDSA:
		hash, opts = method.Hash, method.Hash
	case *jwt.SigningMethodEd25519:
		return signer.Sign(rand.Reader, []byte(text), crypto.Hash(0))
	default:
		return nil, jwt.ErrInvalidKeyType
	}
	h := hash.New()
	h.Write([]byte(text))
	signature, err := signer.Sign(rand.Reader, h.Sum(nil), opts)
	if err != nil {
		return nil, err
	}
	if method, ok := m.SigningMethod.(*jwt.SigningMethodECDSA); ok {
		return joinECDSA(signature, method.KeySize)
	}
	return signature, nil
}

// joinECDSA turns the ASN.1 form that every crypto.Signer returns into the two numbers side by side of RFC 7518, section
// 3.4.
func joinECDSA(signature []byte, size int) ([]byte, error) {
	var rs struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(signature, &rs)
	if err != nil || len(rest) > 0 || rs.R.Sign() <= 0 || rs.S.Sign() <= 0 || rs.R.BitLen() > 8*size || rs.S.BitLen() > 8*size {
		return nil, errors.New("the signer returned no ECDSA signature of this curve")
	}
	out := make([]byte, 2*size)
	rs.R.FillBytes(out[:size])
	rs.S.FillBytes(out[size:])
	return out, nil
}
