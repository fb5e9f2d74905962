package middleware

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/bearergate/bearergate/jwks"
)

// headers remembers the headers of verified tokens: all tokens of one key have the same one, so that it need not be decoded
// and read again. It holds as many as fit into its places, each the last one that came there.
type headers struct {
	seed   maphash.Seed
	places [64]atomic.Pointer[knownHeader]
}

type knownHeader struct {
	segment string
	header  header
	key     *jwks.Key
}

func newHeaders() *headers { return &headers{seed: maphash.MakeSeed()} }

func (h *headers) place(segment string) *atomic.Pointer[knownHeader] {
	return &h.places[maphash.String(h.seed, segment)%uint64(len(h.places))]
}

// find returns what segment says, nil if that is not known, or if the key of the token that brought it is gone.
func (h *headers) find(segment string) *knownHeader {
	if k := h.place(segment).Load(); k != nil && k.segment == segment && k.key.Current() {
		return k
	}
	return nil
}

// put remembers what segment says, after a token with it was verified by key.
func (h *headers) put(segment string, head *header, key *jwks.Key) *knownHeader {
	k := &knownHeader{segment: strings.Clone(segment), header: *head, key: key}
	h.place(segment).Store(k)
	return k
}

// size is more than what k takes in memory, in bytes: its strings are parts of the decoded segment, or copies.
func (k *knownHeader) size() int {
	return 2*int(unsafe.Sizeof(*k)) + 4*len(k.segment) + 4*len(k.header.media)
}
