package middleware

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

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
func (h *headers) find(segment string) *header {
	if k := h.place(segment).Load(); k != nil && k.segment == segment && k.key.Current() {
		return &k.header
	}
	return nil
}

// put remembers what segment says, after a token with it was verified.
func (h *headers) put(segment string, head *header, key *jwks.Key) {
	h.place(segment).Store(&knownHeader{segment: strings.Clone(segment), header: *head, key: key})
}
