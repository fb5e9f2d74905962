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
// The salt is in the row and K is not in the database, so neither alone makes a token, and any generation of a grant
// can be verified and computed again.
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
	forged        string // the event that tells of one that the server did not make
	invalid       string // the answer to one that is not good
}

var (
	refreshToken = opaqueKind{"rt1_", "rt/v1", "refresh.forged", "the refresh token is not valid"}
	codeToken    = opaqueKind{"ac1_", "ac/v1", "code.forged", "the code is not valid"}
)

// opaque is a token taken apart; nothing of it is authenticated before keyring.verify.
type opaque struct {
	kid byte
	id  [grantIDSize]byte
	gen uint32
	mac [sha256.Size]byte
}

var strictBase64 = base64.RawURLEncoding.Strict()

// parse takes a token apart. Every token has exactly one spelling: the encoding is strict and the length fixed.
func (k opaqueKind) parse(token string) (o opaque, ok bool) {
	enc, ok := strings.CutPrefix(token, k.prefix)
	if !ok || len(enc) != encodedSize || strings.ContainsAny(enc, "\r\n") {
		return o, false
	}
	var text [encodedSize]byte // this and raw stay on the stack
	copy(text[:], enc)
	var raw [opaqueSize]byte
	if n, err := strictBase64.Decode(raw[:], text[:]); err != nil || n != opaqueSize || raw[0] != opaqueVersion {
		return o, false
	}
	o.kid = raw[1]
	copy(o.id[:], raw[2:])
	o.gen = binary.BigEndian.Uint32(raw[2+grantIDSize:])
	copy(o.mac[:], raw[2+grantIDSize+4:])
	return o, true
}

// grantID is the id under which the store keeps the row.
func (o *opaque) grantID() string { return base64.RawURLEncoding.EncodeToString(o.id[:]) }

// keyring holds Config.RefreshKeys; the first one signs.
type keyring []hmacKey

type hmacKey struct {
	id   byte       // the first byte of the key's hash: it stays the same wherever the key stands in the list
	macs *sync.Pool // of *mac: setting a key up costs more than using it
}

// mac computes HMACs with one key, one after the other.
type mac struct {
	hash  hash.Hash
	input []byte
}

func newKeyring(keys [][]byte) keyring {
	var ring keyring
	for _, k := range keys {
		sum := sha256.Sum256(append([]byte("bearergate key id"), k...))
		key := slices.Clone(k)
		ring = append(ring, hmacKey{id: sum[0], macs: &sync.Pool{New: func() any { return &mac{hash: hmac.New(sha256.New, key)} }}})
	}
	return ring
}

// mint returns the token of the given generation: the same one every time.
func (r keyring) mint(kind opaqueKind, g *Grant, gen uint32) (string, error) {
	id, err := strictBase64.AppendDecode(make([]byte, 0, grantIDSize), []byte(g.ID))
	if err != nil || len(id) != grantIDSize {
		return "", errBadGrantID
	}
	raw := append(make([]byte, 0, opaqueSize), opaqueVersion, r[0].id)
	raw = append(raw, id...)
	raw = binary.BigEndian.AppendUint32(raw, gen)
	raw = r[0].appendSum(raw, kind, id, gen, g)
	text := append(make([]byte, 0, len(refreshToken.prefix)+encodedSize), kind.prefix...)
	return string(base64.RawURLEncoding.AppendEncode(text, raw)), nil
}

// verify tells whether one of the keys made o for the row g.
func (r keyring) verify(kind opaqueKind, o *opaque, g *Grant) bool {
	ok := false
	var sum [sha256.Size]byte
	for _, k := range r {
		if k.id == o.kid && hmac.Equal(o.mac[:], k.appendSum(sum[:0], kind, o.id[:], o.gen, g)) {
			ok = true
		}
	}
	return ok
}

// appendSum appends the MAC to dst. All parts but the last have a fixed length, so no two inputs run together.
func (k hmacKey) appendSum(dst []byte, kind opaqueKind, id []byte, gen uint32, g *Grant) []byte {
	m := k.macs.Get().(*mac) // the pool holds nothing else
	defer k.macs.Put(m)
	m.input = append(append(m.input[:0], kind.label...), id...)
	m.input = binary.BigEndian.AppendUint32(m.input, gen)
	m.input = append(append(m.input, g.Salt...), g.ClientID...)
	m.hash.Reset()
	m.hash.Write(m.input)
	return m.hash.Sum(dst)
}

// newGrantID returns a fresh id and salt.
func newGrantID() (id string, salt []byte) {
	raw := make([]byte, grantIDSize)
	rand.Read(raw)
	salt = make([]byte, saltSize)
	rand.Read(salt)
	return base64.RawURLEncoding.EncodeToString(raw), salt
}
