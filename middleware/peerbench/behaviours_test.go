package peerbench

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/stretchr/testify/require"
)

// A behaviour is one row: what a peer does when something happens to it. ask runs in a bubble of its own; the API has
// been started and has accepted a token, unless cold is set.
type behaviour struct {
	name string
	cold bool
	ask  func(w *world, peer Peer) string
}

// observe asks peer.
func (b behaviour) observe(t *testing.T, peer Peer) (cell string) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld(t)
		w.ctx = ctx
		if !b.cold {
			require.NoError(t, w.start(ctx, peer))
			require.True(t, w.accepts(w.issuer.Token()), "%s: a good token", peer.Name)
		}
		cell = b.ask(w, peer)
	})
	return cell
}

const flood = 200

// answers are rows about what a client gets to see.
func answers() []behaviour {
	status := func(w *world, r *http.Response) string { return strconv.Itoa(r.StatusCode) }
	return []behaviour{
		{name: "no token: status", ask: func(w *world, _ Peer) string {
			return status(w, w.ask())
		}},
		{name: "no token: a `Bearer` challenge without an error code (RFC 6750, Section 3.1)", ask: func(w *world, _ Peer) string {
			return challenge(w.ask(), "")
		}},
		{name: "an expired token: a challenge with `error=\"invalid_token\"`", ask: func(w *world, _ Peer) string {
			return challenge(w.send(w.issuer.Token(authtest.Expired)), "invalid_token")
		}},
		{name: "a token without the scope that the route needs: status[^scope]", ask: func(w *world, _ Peer) string {
			return status(w, w.send(w.issuer.Token(authtest.Scope("orders:read"))))
		}},
		{name: "… and a challenge with `error=\"insufficient_scope\"`", ask: func(w *world, _ Peer) string {
			return challenge(w.send(w.issuer.Token(authtest.Scope("orders:read"))), "insufficient_scope")
		}},
		{name: "two `Authorization` headers, the second one good", ask: func(w *world, _ Peer) string {
			return status(w, w.ask("Bearer "+w.issuer.Token(authtest.Expired), "Bearer "+w.issuer.Token()))
		}},
		{name: "two `Authorization` headers, both good", ask: func(w *world, _ Peer) string {
			return status(w, w.ask("Bearer "+w.issuer.Token(), "Bearer "+w.issuer.Token()))
		}},
		{name: "the scheme in lower case, a good token (RFC 9110, Section 11.1)", ask: func(w *world, _ Peer) string {
			return status(w, w.ask("bearer "+w.issuer.Token()))
		}},
		{name: "`Basic` credentials", ask: func(w *world, _ Peer) string {
			return status(w, w.ask("Basic YWxpY2U6YWxpY2U="))
		}},
		{name: "`Bearer` and no token", ask: func(w *world, _ Peer) string {
			return status(w, w.ask("Bearer"))
		}},
		{name: "`Bearer` and a good token followed by a word", ask: func(w *world, _ Peer) string {
			return status(w, w.ask("Bearer "+w.issuer.Token()+" please"))
		}},
		{name: "something of the token is repeated in the answer[^echo]", ask: func(w *world, _ Peer) string {
			for _, mod := range []authtest.Mod{
				authtest.IssuedBy(`zxcv", error="`), authtest.Audience(`zxcv", error="`), authtest.Header("alg", `zxcv", error="`),
				authtest.Header("kid", `zxcv", error="`), authtest.Header("typ", `zxcv", error="`), authtest.Claim("exp", `zxcv", error="`),
			} {
				r := w.send(w.issuer.Token(mod))
				switch {
				case strings.Contains(fmt.Sprint(r.Header), "zxcv"):
					return "in a header"
				case strings.Contains(body(r), "zxcv"):
					return "in the body"
				}
			}
			return "no"
		}},
	}
}

// keyRows are rows about the issuer's keys.
func keyRows() []behaviour {
	return []behaviour{
		{name: "the issuer is down when the API starts; a good token comes[^start]", cold: true, ask: func(w *world, peer Peer) string {
			w.issuer.Outage(true)
			if err := w.start(w.ctx, peer); err != nil {
				return "does not start"
			}
			return verdict(peer, w.send(w.issuer.Token()))
		}},
		{name: "… and is up again: good tokens are accepted", cold: true, ask: func(w *world, peer Peer) string {
			w.issuer.Outage(true)
			if err := w.start(w.ctx, peer); err != nil {
				return "–"
			}
			w.send(w.issuer.Token())
			w.issuer.Outage(false)
			return w.until(func() bool { return w.accepts(w.issuer.Token()) })
		}},
		{name: "… after it was down for 10 minutes and a request came every 6 s[^backoff]", cold: true, ask: func(w *world, peer Peer) string {
			w.issuer.Outage(true)
			if err := w.start(w.ctx, peer); err != nil {
				return "–"
			}
			for range 100 {
				w.send(w.issuer.Token())
				w.pass(6 * time.Second)
			}
			w.issuer.Outage(false)
			// Ours waits for a time that is random within bounds: the bound is the answer.
			return w.until(func() bool { return w.accepts(w.issuer.Token()) }, time.Second, 10*time.Second)
		}},
		{name: "requests to the issuer in these 10 minutes, to one digit", cold: true, ask: func(w *world, peer Peer) string {
			w.issuer.Outage(true)
			if err := w.start(w.ctx, peer); err != nil {
				return "–"
			}
			n := float64(w.countAll(func() {
				for range 100 {
					w.send(w.issuer.Token())
					w.pass(6 * time.Second)
				}
			}))
			ten := math.Pow10(int(math.Log10(max(n, 1))))
			return strconv.Itoa(int(math.Round(n/ten) * ten))
		}},
		{name: "the issuer is down for 2 hours; a token of a known key", ask: func(w *world, peer Peer) string {
			w.issuer.Outage(true)
			w.pass(2 * time.Hour)
			w.send(w.issuer.Token()) // what it learns from the first one may count for the second
			w.pass(time.Second)
			return verdict(peer, w.send(w.issuer.Token()))
		}},
		{name: "… for 25 hours", ask: func(w *world, peer Peer) string {
			w.issuer.Outage(true)
			w.pass(25 * time.Hour)
			w.send(w.issuer.Token())
			w.pass(time.Second)
			return verdict(peer, w.send(w.issuer.Token()))
		}},
		{name: "the issuer is down; a token of an unknown key", ask: func(w *world, peer Peer) string {
			w.issuer.Outage(true)
			return verdict(peer, w.send(w.issuer.Token(authtest.Header("kid", "new"))))
		}},
		{name: "the issuer rotates: the first token of the new key is accepted[^rotation]", ask: func(w *world, _ Peer) string {
			w.pass(time.Minute)
			w.issuer.Rotate()
			return w.until(func() bool { return w.accepts(w.issuer.Token()) })
		}},
		{name: "it rotates just after somebody sent one token with a made-up kid", ask: func(w *world, _ Peer) string {
			w.send(w.issuer.Token(authtest.Header("kid", "made up")))
			w.issuer.Rotate()
			return w.until(func() bool { return w.accepts(w.issuer.Token()) })
		}},
		{name: fmt.Sprintf("it rotates just after somebody sent %d of them[^flood]", flood), ask: func(w *world, _ Peer) string {
			madeUpKids(w)
			w.issuer.Rotate()
			return w.until(func() bool { return w.accepts(w.issuer.Token()) })
		}},
		{name: "a key is withdrawn: its tokens are refused[^withdrawn]", ask: func(w *world, _ Peer) string {
			old := w.issuer.Token(authtest.ExpiresIn(48 * time.Hour))
			w.issuer.Rotate()
			w.issuer.RemoveOldKeys()
			return w.until(func() bool { return !w.accepts(old) })
		}},
		{name: "… when the key set said `Cache-Control: max-age=300`", cold: true, ask: func(w *world, peer Peer) string {
			w.maxAge = "300"
			require.NoError(w.tb, w.start(w.ctx, peer))
			old := w.issuer.Token(authtest.ExpiresIn(48 * time.Hour))
			require.True(w.tb, w.accepts(old))
			w.issuer.Rotate()
			w.issuer.RemoveOldKeys()
			return w.until(func() bool { return !w.accepts(old) })
		}},
		{name: fmt.Sprintf("fetches of the key set that %d tokens with made-up kids cause", flood), ask: func(w *world, _ Peer) string {
			return strconv.Itoa(w.count(func() { madeUpKids(w) }))
		}},
		{name: fmt.Sprintf("… that %d such tokens cause that have expired besides", flood), ask: func(w *world, _ Peer) string {
			return strconv.Itoa(w.count(func() { madeUpKids(w, authtest.Expired) }))
		}},
		{name: fmt.Sprintf("… that %d tokens with a bad signature of a known key cause", flood), ask: func(w *world, _ Peer) string {
			return strconv.Itoa(w.count(func() {
				for range flood {
					good, other := w.issuer.Token(), w.issuer.Token()
					w.send(good[:strings.LastIndexByte(good, '.')] + other[strings.LastIndexByte(other, '.'):])
				}
			}))
		}},
		{name: "the longest wait of a request when one token with a made-up kid comes every 10 s for 10 minutes", ask: func(w *world, _ Peer) string {
			var longest time.Duration
			for i := range 60 {
				began := time.Now()
				w.send(w.issuer.Token(authtest.Header("kid", strconv.Itoa(i))))
				longest = max(longest, time.Since(began))
				w.pass(10 * time.Second)
			}
			if longest == 0 {
				return "none"
			}
			return longest.Round(time.Second).String()
		}},
		{name: "one key of the set is of an unknown type (`\"kty\":\"AKP\"`)[^kty]", cold: true, ask: published(func(keys []map[string]any) []map[string]any {
			return append(keys, map[string]any{"kty": "AKP", "alg": "ML-DSA-65", "kid": "pq", "pub": "AAAA"})
		})},
		{name: "one key of the set is broken", cold: true, ask: published(func(keys []map[string]any) []map[string]any {
			return append(keys, map[string]any{"kty": "EC", "crv": "P-256", "kid": "broken", "x": "?", "y": "?"})
		})},
		{name: "the keys say no `alg`, as Entra ID's[^alg]", cold: true, ask: published(func(keys []map[string]any) []map[string]any {
			delete(keys[0], "alg")
			return keys
		})},
		{name: "the token is signed by a key that is for encryption (`\"use\":\"enc\"`), beside one for signatures", cold: true,
			ask: published(func(keys []map[string]any) []map[string]any {
				other := maps.Clone(keys[0])
				other["kid"] = "other"
				keys[0]["use"] = "enc"
				return append(keys, other)
			})},
		{name: "for 2 hours the key set is a page that says 200 and `{\"error\":…}`; then a good token", ask: func(w *world, peer Peer) string {
			w.edit = func([]byte) []byte { return []byte(`{"error":"try again later"}`) }
			w.send(w.issuer.Token(authtest.Header("kid", "made up")))
			w.pass(2 * time.Hour)
			return verdict(peer, w.send(w.issuer.Token()))
		}},
	}
}

// published starts the API with an edited key set and presents a good token.
func published(edit func(keys []map[string]any) []map[string]any) func(*world, Peer) string {
	return func(w *world, peer Peer) string {
		w.edit = func(doc []byte) []byte { return editKeys(w.tb, doc, edit) }
		if err := w.start(w.ctx, peer); err != nil {
			return "does not start"
		}
		return verdict(peer, w.send(w.issuer.Token()))
	}
}

// editKeys edits a key set document.
func editKeys(tb testing.TB, doc []byte, edit func([]map[string]any) []map[string]any) []byte {
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	require.NoError(tb, json.Unmarshal(doc, &set))
	set.Keys = edit(set.Keys)
	doc, err := json.Marshal(set)
	require.NoError(tb, err)
	return doc
}

// madeUpKids sends tokens with kids that nobody has, a millisecond apart.
func madeUpKids(w *world, mods ...authtest.Mod) {
	for i := range flood {
		w.send(w.issuer.Token(append(mods, authtest.Header("kid", "made-up-"+strconv.Itoa(i)))...))
		w.pass(time.Millisecond)
	}
}

// until says when f became true, at the latest. It does not look at the moments to skip.
func (w *world) until(f func() bool, skip ...time.Duration) string {
	passed := time.Duration(0)
	for _, step := range []struct {
		after time.Duration
		name  string
	}{
		{0, "at once"}, {time.Second, "after 1 s"}, {10 * time.Second, "after 10 s"}, {time.Minute, "after 1 min"},
		{5 * time.Minute, "after 5 min"}, {15 * time.Minute, "after 15 min"}, {time.Hour, "after 1 h"}, {24 * time.Hour, "after 24 h"},
	} {
		if slices.Contains(skip, step.after) {
			continue
		}
		w.pass(step.after - passed)
		passed = step.after
		if f() {
			return step.name
		}
	}
	return "not in 24 h"
}

// challenge says whether an answer's WWW-Authenticate is a Bearer challenge with this error code, or with none.
func challenge(r *http.Response, code string) string {
	value := r.Header.Get("WWW-Authenticate")
	switch {
	case r.StatusCode == http.StatusOK:
		return "–"
	case value == "":
		return "no header"
	case !strings.HasPrefix(value, "Bearer"):
		return "another scheme"
	case code == "" && !strings.Contains(value, "error="), code != "" && strings.Contains(value, `error="`+code+`"`):
		return "yes"
	case code == "":
		return "with an error"
	default:
		return "another code"
	}
}
