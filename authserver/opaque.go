package authserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
	"sync"
)

// A refresh token or code is its prefix and base64url of
//
//	version 1 | key id 1 | grant id 16 | generation 4 | HMAC-SHA256(K, label ‖ grant id ‖ generation ‖ salt ‖ client id) 32
//
// The salt is in the row and K is not in the database, so neither alone makes a token. With both, the server can verify
// any generation of a grant and compute it again.
const (
	opaqueVersion = 1
	grantIDSize   = 16
	saltSize      = 16
	opaqueSize    = 1 + 1 + grantIDSize + 4 + sha256.Size
	encodedSize   = (opaqueSize*8 + 5) / 6
)

// opaqueKind keeps codes and refresh tokens apart: neither verifies as the other.
type opaqueKind struct {
	prefix, label string
	forged        string // the event for a token that the server did not make
	invalid       string // the answer to an invalid token
}

var (
	refreshToken = opaqueKind{"rt1_", "rt/v1", "refresh.forged", "the refresh token is not valid"}
	codeToken    = opaqueKind{"ac1_", "ac/v1", "code.forged", "the code is not valid"}
)

// opaque is a token that was read. Nothing in it is authenticated before keyring.verify.
type opaque struct {
	kid byte
	id  [grantIDSize]byte
	gen uint32
	mac [sha256.Size]byte
}

var strictBase64 = base64.RawURLEncoding.Strict()

// parse reads a token. Every token has exactly one spelling: the encoding is strict and the length fixed.
func (k opaqueKind) parse(token string) (o opaque, ok bool) {
	enc, ok := strings.CutPrefix(token, k.prefix)
	if !ok || len(enc) != encodedSize || strings.ContainsAny(enc, "\r\n") {
		return o, false
	}
	raw, err := strictBase64.DecodeString(enc)
	if err != nil || len(raw) != opaqueSize || raw[0] != opaqueVersion {
		return o, false
	}
	o.kid = raw[1]
	copy(o.id[:], raw[2:])
	o.gen = binary.BigEndian.Uint32(raw[2+grantIDSize:])
	copy(o.mac[:], raw[2+grantIDSize+4:])
	return o, true
}

// grantID returns the id under which the store keeps the row.
func (o *opaque) grantID() string { return base64.RawURLEncoding.EncodeToString(o.id[:]) }

// keyring holds Config.RefreshKeys; the first one signs.
type keyring []refreshKey

type refreshKey struct {
	id   byte       // the first byte of the key's hash: it does not depend on the key's place in the list
	macs *sync.Pool // of hash.Hash: setting an HMAC up takes 3 µs, and a refresh needs two
}

func newKeyring(keys [][]byte) keyring {
	var ring keyring
	for _, k := range keys {
		sum := sha256.Sum256(append([]byte("bearergate key id"), k...))
		secret := slices.Clone(k)
		macs := &sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}
		ring = append(ring, refreshKey{id: sum[0], macs: macs})
	}
	return ring
}

// mint returns the token of the given generation, the same one every time.
func (r keyring) mint(kind opaqueKind, g *Grant, gen uint32) (string, error) {
	id, err := strictBase64.DecodeString(g.ID)
	if err != nil || len(id) != grantIDSize {
		return "", errBadGrantID
	}
	raw := append([]byte{opaqueVersion, r[0].id}, id...)
	raw = binary.BigEndian.AppendUint32(raw, gen)
	raw = append(raw, r[0].sum(kind, id, gen, g)...)
	return kind.prefix + base64.RawURLEncoding.EncodeToString(raw), nil
}

// verify reports whether one of the keys made o for the row g.
func (r keyring) verify(kind opaqueKind, o *opaque, g *Grant) bool {
	return slices.ContainsFunc(r, func(k refreshKey) bool {
		return k.id == o.kid && hmac.Equal(o.mac[:], k.sum(kind, o.id[:], o.gen, g))
	})
}

// sum returns the MAC of a token. All parts but the last have a fixed length, so no two inputs are alike.
func (k refreshKey) sum(kind opaqueKind, id []byte, gen uint32, g *Grant) []byte {
	m := k.macs.Get().(hash.Hash) // the pool holds nothing else
	defer k.macs.Put(m)
	m.Reset()
	m.Write([]byte(kind.label))
	m.Write(id)
	m.Write(binary.BigEndian.AppendUint32(nil, gen))
	m.Write(g.Salt)
	m.Write([]byte(g.ClientID))
	return m.Sum(nil)
}

// newGrantID returns a fresh id and salt.
func newGrantID() (id string, salt []byte) {
	raw := make([]byte, grantIDSize)
	rand.Read(raw)
	salt = make([]byte, saltSize)
	rand.Read(salt)
	return base64.RawURLEncoding.EncodeToString(raw), salt
}
