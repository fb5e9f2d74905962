package authserver_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestRefreshAllocations: what a refresh with two tokens leaves to the garbage collector, beyond the two signatures. The request
// is made beforehand and the ResponseWriter is used again, so neither counts.
//
// It comes to 40, and with ES256, whose signatures change their form, to 42: reading the form 6, finding and verifying the refresh
// token 6 (three of them copies of the row, which the caller owns), the user 1, what the two tokens say 12 (audience, scope, jti,
// two objects), making them 3 each (buffer, digest, text), the next refresh token 3, the step 1, the answer and its headers 5. The
// ceilings have room for what another Go release may do, and none for a map of claims (20 and more for a token), for reflection
// over them, or for a MAC key that is set up anew (5).
func TestRefreshAllocations(t *testing.T) {
	if raceDetector {
		return // which allocates by itself
	}
	for algorithm, most := range map[string]float64{"ES256": 45, "EdDSA": 43, "RS256": 43} {
		t.Run(algorithm, func(t *testing.T) {
			const runs = 50
			ours, sign := newRenewal(t, algorithm), rawSignature(t, algorithm)
			signatures := testing.AllocsPerRun(runs, func() { sign(); sign() })
			var body []byte
			all := testing.AllocsPerRun(runs, func() { // the refresh after it has to wait for the token in the answer
				ours.serve(t, ours.request())
				body = ours.out.body
			})
			request := testing.AllocsPerRun(runs, func() { requested = ours.request() })
			assert.NotEmpty(t, body)
			assert.LessOrEqual(t, all-request-signatures, most, "%v in all, %v of them signatures, %v the request", all, signatures, request)
			t.Logf("%v in all, %v of them signatures, %v the request", all, signatures, request)
		})
	}
}

var requested *http.Request // so that it is on the heap, as one that is served is
