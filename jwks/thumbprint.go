package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// publicJWK is a public key as RFC 7517 writes it. Without kid, use and alg it has the members that RFC 7638, Section
// 3.2 requires, in the order that it wants.
type publicJWK struct {
	Curve string `json:"crv,omitempty"`
	E     string `json:"e,omitempty"`
	Type  string `json:"kty"`
	N     string `json:"n,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`

	ID        string `json:"kid,omitempty"`
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
}

func newPublicJWK(public crypto.PublicKey) (publicJWK, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k == nil || k.N == nil {
			break
		}
		return publicJWK{Type: "RSA", N: b64(k.N.Bytes()), E: b64(big.NewInt(int64(k.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		// The uncompressed point is 4, x, y. Both coordinates have the curve's full length, as RFC 7518, Section
		// 6.2.1.2 wants.
		if _, err := curveOf(k); err != nil {
			return publicJWK{}, err
		}
		point, err := k.Bytes()
		if err != nil {
			return publicJWK{}, err
		}
		size := (len(point) - 1) / 2
		x, y := point[1:1+size], point[1+size:]
		return publicJWK{Type: "EC", Curve: k.Curve.Params().Name, X: b64(x), Y: b64(y)}, nil
	case ed25519.PublicKey:
		return publicJWK{Type: "OKP", Curve: "Ed25519", X: b64(k)}, nil
	}
	return publicJWK{}, fmt.Errorf("unsupported key type %T", public)
}

// Thumbprint returns the RFC 7638 thumbprint of a public key, with SHA-256, in base64url. It is a kid that anybody can
// compute and that two keys never share. It takes the types that [NewKey] takes and fails with any other.
func Thumbprint(public crypto.PublicKey) (string, error) {
	jwk, err := newPublicJWK(public)
	if err != nil {
		return "", fmt.Errorf("jwks: thumbprint: %w", err)
	}
	text, err := json.Marshal(jwk)
	if err != nil {
		return "", fmt.Errorf("jwks: thumbprint: %w", err)
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
