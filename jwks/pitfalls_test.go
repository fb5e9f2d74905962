package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// TestKnownPitfalls has a row for each known pitfall of key sets, in keyfunc, jwkset and other libraries, and shows
// that it is avoided here. The other tables go deeper into each.
func TestKnownPitfalls(t *testing.T) {
	serve := func(iss *issuer, format string, args ...any) {
		iss.set(func() { iss.keySet = answers(200, "application/json", format, args...) })
	}
	runScenarios(t, []scenario{
		{"start-up does not wait for issuers", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = time.Hour
			began := time.Now()
			for range 5 {
				iss.remote(t)
			}
			assert.Zero(t, time.Since(began))
		}},
		{"an issuer that is down at the start is found within a second of being back", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.down = true
			r := iss.remote(t)
			missing(t, r, jwks.ErrUnavailable, "a")
			iss.set(func() { iss.down = false })
			time.Sleep(time.Second)
			found(t, r, "a")
		}},
		{"an issuer that is down for long is retried, about once a minute", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.down = true
			r := iss.remote(t)
			for range 600 {
				missing(t, r, jwks.ErrUnavailable, "a")
				time.Sleep(time.Second)
			}
			_, discoveries := iss.count()
			assert.Less(t, discoveries, 35)
			iss.set(func() { iss.down = false })
			time.Sleep(time.Minute)
			found(t, r, "a")
		}},
		{"a made-up kid leaves a fetch for the rotation after it", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			missing(t, r, jwks.ErrKeyNotFound, "made up")
			iss.publish(t, a, newKey(t, "b"))
			found(t, r, "b")
		}},
		{"requests with made-up kids do not wait for one another", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			began := time.Now()
			for i := range 10 {
				missing(t, r, jwks.ErrKeyNotFound, fmt.Sprint("made up ", i))
			}
			assert.Zero(t, time.Since(began))
		}},
		{"a client that disconnects does not abort the shared fetch", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = time.Second
			r := iss.remote(t)
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Millisecond, cancel)
			_, err := r.Lookup(ctx, "a", "ES256")
			assert.ErrorIs(t, err, context.Canceled)
			found(t, r, "a")
			fetches, _ := iss.count()
			assert.Equal(t, 1, fetches)
		}},
		{"status 200 with an error inside keeps the keys", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			for _, answer := range []string{`{"message":"error"}`, `{}`, `{"keys":[]}`, `<html>`, ``} {
				serve(iss, "%s", answer)
				time.Sleep(2 * time.Hour)
				found(t, r, "a")
				assert.Error(t, r.Status().LastError)
			}
		}},
		{"an endless answer is cut off at 1 MiB", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			serve(iss, "%s%2000000s", iss.document, "")
			missing(t, r, jwks.ErrUnavailable, "b")
			assert.ErrorContains(t, r.Status().LastError, "more than 1048576 bytes")
		}},
		{"keys of an issuer that is gone are given up after a day", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.down = true })
			time.Sleep(23 * time.Hour)
			found(t, r, "a")
			time.Sleep(2 * time.Hour)
			missing(t, r, jwks.ErrUnavailable, "a")
		}},
		{"a failed refresh is retried within a minute", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.down = true })
			time.Sleep(52 * time.Minute) // the refresh has failed, if only just
			iss.set(func() { iss.down = false })
			time.Sleep(time.Minute)
			assert.NoError(t, r.Status().LastError)
		}},
		{"Cache-Control and ETag are used", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.etag, iss.control = `"1"`, "max-age=300"
			r := iss.remote(t)
			found(t, r, "a")
			time.Sleep(5 * time.Minute)
			assert.Equal(t, `"1"`, iss.last().Header.Get("If-None-Match"))
		}},
		{"one odd key is skipped alone", func(t *testing.T) {
			for _, odd := range []string{`{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}`, `{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`,
				`{"kty":"RSA","n":"*","e":"AQAB"}`, `{"kty":"RSA","n":"AQAB","e":"AQ","x5c":["*"]}`, `{"kty":"EC","x5u":"http://x"}`, `{"kty":"EC","use":"signature"}`,
				`{"kty":"EC","key_ops":["fly"]}`, `{"kty":"EC","kid":7}`, `7`, `null`} {
				iss := newIssuer(t, newKey(t, "a"))
				serve(iss, `{"keys":[%s,%s`, odd, iss.document[len(`{"keys":[`):])
				r := iss.remote(t)
				found(t, r, "a")
				assert.Len(t, r.Status().Skipped, 1, odd)
			}
		}},
		{"a key for encryption does not verify signatures", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			require.Contains(t, string(iss.document), `"use":"sig","alg":"ES256"`)
			for _, odd := range []string{`"use":"enc"`, `"use":"sig","key_ops":["encrypt"]`, `"alg":"ECDH-ES"`} {
				serve(iss, "%s", strings.Replace(string(iss.document), `"use":"sig","alg":"ES256"`, odd, 1))
				missing(t, iss.remote(t), jwks.ErrUnavailable, "a") // there is no other key
			}
		}},
		{"a token without kid is not tried with every key", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"), newKey(t, "b"))
			missing(t, iss.remote(t), jwks.ErrKeyNotFound, "")
		}},
		{"a published secret does not verify HS256 tokens", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			serve(iss, `{"keys":[{"kty":"oct","kid":"s","k":"c2VjcmV0","alg":"HS256"},%s`, iss.document[len(`{"keys":[`):])
			r := iss.remote(t)
			_, err := r.Lookup(context.Background(), "s", "HS256")
			assert.ErrorIs(t, err, jwks.ErrKeyNotFound)
			missing(t, r, jwks.ErrKeyNotFound, "s")
		}},
		{"one issuer's keys do not verify another's tokens", func(t *testing.T) {
			ra, rb := newIssuer(t, newKey(t, "a")).remote(t), newIssuer(t, newKey(t, "b")).remote(t)
			found(t, ra, "a")
			found(t, rb, "b")
			missing(t, ra, jwks.ErrKeyNotFound, "b")
			missing(t, rb, jwks.ErrKeyNotFound, "a")
		}},
		{"keys that share a kid are all tried", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"), newKey(t, "a"))
			keys, err := iss.remote(t).Lookup(context.Background(), "a", "ES256")
			require.NoError(t, err)
			assert.Len(t, keys, 2)
		}},
		{"an outage is told from an unknown kid", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			missing(t, r, jwks.ErrKeyNotFound, "b")
			iss.set(func() { iss.down = true })
			missing(t, r, jwks.ErrUnavailable, "c")
			assert.False(t, errors.Is(jwks.ErrUnavailable, jwks.ErrKeyNotFound))
		}},
		{"Close stops the refreshes", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			for range 50 {
				r := iss.remote(t)
				found(t, r, "a")
				require.NoError(t, r.Close())
			}
			before, _ := iss.count()
			time.Sleep(48 * time.Hour)
			after, _ := iss.count()
			assert.Equal(t, before, after)
		}},
		{"no request waits at the moment of a refresh", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.delay = 4 * time.Second })
			time.Sleep(time.Until(r.Status().NextFetch) + time.Second)
			synctest.Wait()
			began := time.Now()
			found(t, r, "a")
			assert.Zero(t, time.Since(began))
			fetches, _ := iss.count()
			assert.Equal(t, 2, fetches, "the refresh is under way")
		}},
		{"a trailing slash that differs is named in the error", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			_, err := lookup(iss.remote(t, func(c *jwks.RemoteConfig) { c.Issuer += "/" }), "a")
			assert.ErrorContains(t, err, "only by a trailing slash")
		}},
		{"keys without alg are used for every alg that fits", func(t *testing.T) {
			k, err := jwks.NewKey("entra", "", vectorKey(t, "entra-like", "nOo3ZDrODXEK1jKWhXslHR_KXEg").Public())
			require.NoError(t, err)
			for _, alg := range []string{"RS256", "PS256"} {
				keys, err := newIssuer(t, k).remote(t).Lookup(context.Background(), "entra", alg)
				require.NoError(t, err)
				assert.Len(t, keys, 1)
			}
		}},
		{"a removed key stops verifying", func(t *testing.T) {
			a, b := newKey(t, "a"), newKey(t, "b")
			iss := newIssuer(t, a, b)
			r := iss.remote(t)
			k, err := lookup(r, "a")
			require.NoError(t, err)
			iss.publish(t, b)
			time.Sleep(time.Hour)
			missing(t, r, jwks.ErrKeyNotFound, "a")
			assert.False(t, k.Current())
		}},
		{"a redirect from https to http is not followed", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.keySet = func(w http.ResponseWriter, req *http.Request) {
				http.Redirect(w, req, "http://issuer.example/x", http.StatusFound)
			}
			missing(t, iss.remote(t), jwks.ErrUnavailable, "a")
		}},
	})
}
