package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// key is a signing key for one algorithm.
type key struct {
	id      string
	alg     string
	private crypto.Signer
}

// rsaKeys are the RSA keys of the process. They are expensive to make, and new ones would gain a test nothing.
var rsaKeys struct {
	sync.Mutex
	all []*rsa.PrivateKey
}

// rsaKey returns the n-th RSA key of the process.
func rsaKey(n int) (*rsa.PrivateKey, error) {
	rsaKeys.Lock()
	defer rsaKeys.Unlock()
	for len(rsaKeys.all) <= n {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		rsaKeys.all = append(rsaKeys.all, k)
	}
	return rsaKeys.all[n], nil
}

// newKey returns a key for alg. It is new, except that an RSA key is the n-th of the process.
func newKey(alg, id string, n int) (*key, error) {
	k := &key{id: id, alg: alg}
	var err error
	switch alg {
	case "ES256":
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		k.private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		k.private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		k.private, err = rsaKey(n)
	default:
		err = fmt.Errorf("algorithm %q is not supported", alg)
	}
	return k, err
}

// newWeakKeys returns an RSA key that is too short, and a P-384 key, with which BadTokens signs an ES256 token.
func newWeakKeys() (weak, p384 *key, err error) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		return nil, nil, err
	}
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return &key{id: "weak", alg: "RS256", private: short}, &key{id: "p384", alg: "ES384", private: wide}, err
}

// jwk returns the public key as a member of a key set.
func (k *key) jwk() map[string]any {
	m := map[string]any{"kid": k.id, "alg": k.alg, "use": "sig"}
	switch pub := k.private.Public().(type) {
	case *rsa.PublicKey:
		m["kty"] = "RSA"
		m["n"] = b64(pub.N.Bytes())
		e := []byte{byte(pub.E >> 16), byte(pub.E >> 8), byte(pub.E)}
		m["e"] = b64(e)
	case *ecdsa.PublicKey:
		point, _ := pub.Bytes() // 4, x, y; the key was made here
		half := (len(point) - 1) / 2
		m["kty"] = "EC"
		m["crv"] = pub.Params().Name
		m["x"] = b64(point[1 : 1+half])
		m["y"] = b64(point[1+half:])
	case ed25519.PublicKey:
		m["kty"] = "OKP"
		m["crv"] = "Ed25519"
		m["x"] = b64(pub)
	}
	return m
}

// sign returns the signature of input.
func (k *key) sign(input string) ([]byte, error) {
	return jwt.GetSigningMethod(k.alg).Sign(input, k.private)
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func b64JSON(v any) (string, error) {
	data, err := json.Marshal(v)
	return b64(data), err
}

func unb64(s string) []byte {
	data, _ := base64.RawURLEncoding.DecodeString(s) // made by b64
	return data
}
