package jwks

import (
	"crypto/ed25519"
	"errors"
	"math/big"
	"slices"
)

// The field and the curve of RFC 8032, section 5.1: -x² + y² = 1 + d·x²·y² over 2²⁵⁵ - 19.
var (
	edP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	edD = new(big.Int).Mod(new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), edP)), edP)
)

// checkEd25519 refuses 32 bytes that are no point of the curve, since such a key verifies nothing, and points of small
// order, since under such a key anybody can sign: crypto/ed25519 checks neither before it is asked to verify. The key is
// public, so that math/big's variable time is no matter.
func checkEd25519(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return errors.New("Ed25519 key is not 32 bytes long")
	}
	b := slices.Clone(k)
	b[31] &= 0x7f
	slices.Reverse(b)
	y := new(big.Int).SetBytes(b)
	if y.Cmp(edP) >= 0 {
		return errors.New("the point is not on the curve")
	}
	mul := func(a, b *big.Int) *big.Int { m := new(big.Int).Mul(a, b); return m.Mod(m, edP) }
	one := big.NewInt(1)
	y2 := mul(y, y)
	u := new(big.Int).Mod(new(big.Int).Sub(y2, one), edP)
	v := new(big.Int).Mod(new(big.Int).Add(mul(edD, y2), one), edP)
	// x² = u/v has a root if and only if u·v is a square; v is never 0, for -1/d is none.
	if big.Jacobi(mul(u, v), edP) < 0 {
		return errors.New("the point is not on the curve")
	}
	// Order 1 or 2: y = ±1. Order 4: y = 0. Order 8: twice the point has y = 0, which is d·y⁴ + 2·y² - 1 = 0.
	eight := new(big.Int).Add(mul(edD, mul(y2, y2)), new(big.Int).Sub(new(big.Int).Lsh(y2, 1), one))
	if u.Sign() == 0 || y.Sign() == 0 || eight.Mod(eight, edP).Sign() == 0 {
		return errors.New("the point is of small order")
	}
	return nil
}
