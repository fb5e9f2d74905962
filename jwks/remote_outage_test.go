package jwks_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// failure is a way in which an issuer fails, and what the error must contain.
type failure struct {
	name string
	fail func(*issuer)
	says string
}

// zeros is an endless body that counts how much is read.
type zeros struct{ read int }

func (z *zeros) Read(p []byte) (int, error) {
	clear(p)
	z.read += len(p)
	return len(p), nil
}

var failures = []failure{
	{"no connection", func(i *issuer) { i.down = true }, "connection refused"},
	{"no answer", func(i *issuer) { i.delay = time.Hour }, "no answer within 5s"},
	{"status 500", func(i *issuer) { i.keySet = answers(500, "application/json", `{"keys":[]}`) }, "status 500"},
	{"status 503", func(i *issuer) { i.keySet = answers(503, "text/plain", "busy") }, "status 503"},
	{"status 404", func(i *issuer) { i.keySet = http.NotFound }, "status 404"},
	{"status 401", func(i *issuer) { i.keySet = answers(401, "application/json", "{}") }, "status 401"},
	{"status 204", func(i *issuer) { i.keySet = answers(204, "", "") }, "status 204"},
	{"garbage", func(i *issuer) { i.keySet = answers(200, "application/json", "\x00\xff\x13") }, "not a JSON object"},
	{"nothing", func(i *issuer) { i.keySet = answers(200, "application/json", "") }, "not a JSON object"},
	{"an empty object", func(i *issuer) { i.keySet = answers(200, "application/json", "{}") }, `no "keys"`},
	{"an error in JSON", func(i *issuer) { i.keySet = answers(200, "application/json", `{"message":"error"}`) }, `no "keys"`},
	{"an empty set", func(i *issuer) { i.keySet = answers(200, "application/json", `{"keys":[]}`) }, "the key set is empty"},
	{"only keys that cannot be used", func(i *issuer) {
		i.keySet = answers(200, "application/json", `{"keys":[{"kty":"oct","kid":"s","k":"AAAA"}]}`)
	}, `no usable key: 1 skipped, the first (kid "s"): symmetric key`},
	{"200 with a page", func(i *issuer) { i.keySet = answers(200, "text/html; charset=utf-8", "<html>Sign in</html>") }, `Content-Type is "text/html"`},
	{"a page with the Content-Type of JSON", func(i *issuer) { i.keySet = answers(200, "application/json", "<html>") }, "not a JSON object"},
	{"a key set with the Content-Type of a page", func(i *issuer) { i.keySet = answers(200, "text/html", "%s", i.document) }, `Content-Type is "text/html"`},
	{"a Content-Type that can't be parsed", func(i *issuer) { i.keySet = answers(200, ";;;", "%s", i.document) }, "Content-Type cannot be read"},
	{"something after the end", func(i *issuer) { i.keySet = answers(200, "application/json", "%s{}", i.document) }, "not valid JSON"},
	{"a body of more than 1 MiB", func(i *issuer) {
		body := append(bytes.Clone(i.document), make([]byte, 1<<20)...)
		i.keySet = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
	}, "more than 1048576 bytes"},
	{"a Content-Length of 64 MiB", func(i *issuer) {
		i.keySet = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "67108864") }
	}, "the answer has 67108864 bytes, more than 1048576"},
	{"a redirect loop", func(i *issuer) {
		i.keySet = func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/keys", http.StatusFound) }
	}, "more than 3 redirects"},
	{"a redirect to http", func(i *issuer) { i.keySet = redirect("http://issuer.example/keys") }, "redirect to http://issuer.example/keys: http on a host that is not loopback"},
	{"a redirect to http on this machine", func(i *issuer) { i.keySet = redirect("http://127.0.0.1/keys") }, "redirect to http://127.0.0.1/keys: from https to http"},
	{"a redirect to a file", func(i *issuer) { i.keySet = redirect("file:///etc/passwd") }, "redirect to file:///etc/passwd: the scheme is \"file\", not https"},
	{"a redirect with a password", func(i *issuer) { i.keySet = redirect("https://user:secret@issuer.example/keys") }, "the URL has a user or a password"},
	{"a redirect to nowhere", func(i *issuer) { i.keySet = answers(302, "text/plain", "") }, "302"},
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, to, http.StatusFound) }
}

// TestRemoteFailingIssuer lets the issuer fail in every way, from the start and later, and then recover.
func TestRemoteFailingIssuer(t *testing.T) {
	for _, row := range failures {
		t.Run(strings.ReplaceAll(row.name, " ", "_"), func(t *testing.T) {
			t.Run("from_the_start", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := newIssuer(t, newKey(t, "a"))
					iss.set(func() { row.fail(iss) })
					r := iss.remote(t)
					_, err := lookup(r, "a")
					require.ErrorIs(t, err, jwks.ErrUnavailable)
					assert.ErrorContains(t, err, row.says)
					assert.NotErrorIs(t, err, jwks.ErrKeyNotFound)
					began := time.Now()
					missing(t, r, jwks.ErrUnavailable, "a")
					assert.Zero(t, time.Since(began), "while it backs off nobody waits")
					assert.ErrorContains(t, r.Status().LastError, row.says)

					iss.recover()
					time.Sleep(time.Second)
					synctest.Wait()
					iss.set(func() { iss.down = true })
					found(t, r, "a") // by itself, within a second
				})
			})
			t.Run("later", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := newIssuer(t, newKey(t, "a"))
					r := iss.remote(t, func(c *jwks.RemoteConfig) { c.MaxAge, c.MaxStale = 10*time.Minute, 30*time.Minute })
					k, err := lookup(r, "a")
					require.NoError(t, err)
					iss.set(func() { row.fail(iss) })
					for range 5 {
						time.Sleep(5 * time.Minute)
						found(t, r, "a")
					}
					assert.True(t, k.Current())
					assert.ErrorContains(t, r.Status().LastError, row.says)
					fetches, discoveries := iss.count()
					assert.LessOrEqual(t, fetches, 4*30*2, "twice a minute at the most, and three redirects")
					assert.LessOrEqual(t, discoveries, 30*2)

					time.Sleep(7 * time.Minute)
					assert.False(t, k.Current(), "what was verified with a set that is too old is forgotten")
					missing(t, r, jwks.ErrUnavailable, "a")

					iss.recover()
					time.Sleep(time.Minute + 6*time.Second)
					synctest.Wait()
					iss.set(func() { iss.down = true })
					found(t, r, "a") // by itself, within the longest backoff
				})
			})
		})
	}
}

// recover ends all failures of the issuer.
func (i *issuer) recover() {
	i.set(func() { i.down, i.delay, i.keySet, i.metadata = false, 0, nil, nil })
}

func TestRemoteOutage(t *testing.T) {
	runScenarios(t, []scenario{
		{"the pauses after failures grow from 1 s to 1 minute, with jitter", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.down = true
			r := iss.remote(t, func(c *jwks.RemoteConfig) { c.Issuer, c.URL = "", issuerName+"/keys" })
			missing(t, r, jwks.ErrUnavailable, "a")
			time.Sleep(time.Hour)
			wait := time.Second
			for _, gap := range iss.gaps() {
				assert.GreaterOrEqual(t, gap, wait/2)
				assert.LessOrEqual(t, gap, wait)
				wait = min(2*wait, time.Minute)
			}
		}},
		{"an unknown kid during an outage is not the token's fault", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			missing(t, r, jwks.ErrKeyNotFound, "b")
			iss.set(func() { iss.down = true })
			missing(t, r, jwks.ErrUnavailable, "c")
			found(t, r, "a")
		}},
		{"a flood during an outage causes no more fetches than the backoff does", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.down = true })
			for i := range 10_000 {
				missing(t, r, jwks.ErrUnavailable, "junk "+time.Duration(i).String())
				time.Sleep(100 * time.Millisecond)
			}
			fetches, _ := iss.count()
			assert.LessOrEqual(t, fetches, 1+6+2*17)
		}},
		{"MaxStale is configurable, and a day by default", func(t *testing.T) {
			for configured, most := range map[time.Duration]time.Duration{0: 24 * time.Hour, 90 * time.Minute: 90 * time.Minute} {
				iss := newIssuer(t, newKey(t, "a"))
				r := iss.remote(t, func(c *jwks.RemoteConfig) { c.MaxStale = configured })
				found(t, r, "a")
				iss.set(func() { iss.down = true })
				time.Sleep(most - time.Minute)
				found(t, r, "a")
				time.Sleep(2 * time.Minute)
				missing(t, r, jwks.ErrUnavailable, "a")
				assert.Empty(t, r.Status().KeyIDs)
			}
		}},
		{"a set that was given up is fetched anew, without asking whether it has changed", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.etag = `"v1"`
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.down = true })
			time.Sleep(25 * time.Hour)
			iss.set(func() { iss.down = false })
			time.Sleep(time.Minute)
			found(t, r, "a")
			assert.Empty(t, iss.last().Header.Get("If-None-Match"))
		}},
		{"304 for a set that was given up during the request does not bring it back", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			document := iss.document
			iss.keySet = func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("ETag", `"v1"`)
				if req.Header.Get("If-None-Match") != "" {
					time.Sleep(3 * time.Second)
					w.WriteHeader(http.StatusNotModified)
					return
				}
				_, _ = w.Write(document)
			}
			r := iss.remote(t, func(c *jwks.RemoteConfig) { c.MinAge, c.MaxAge, c.MaxStale = time.Second, time.Second, 2*time.Second })
			k, err := lookup(r, "a")
			require.NoError(t, err)
			time.Sleep(3900 * time.Millisecond)
			assert.ErrorContains(t, r.Status().LastError, "not modified, but too old")
			assert.False(t, k.Current())
			time.Sleep(time.Second)
			found(t, r, "a")
		}},
		{"a set that is given up is an event, with the keys that are gone", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"), newKey(t, "b"))
			var mu sync.Mutex
			var events []jwks.FetchEvent
			r := iss.remote(t, func(c *jwks.RemoteConfig) {
				c.OnFetch = func(e jwks.FetchEvent) {
					mu.Lock()
					defer mu.Unlock()
					if e.Outcome == "changed" || e.Outcome == "given up" {
						e.Duration = 0
						events = append(events, e)
					}
				}
			})
			found(t, r, "a", "b")
			iss.set(func() { iss.down = true })
			time.Sleep(25 * time.Hour)
			err := r.Status().LastError
			require.Error(t, err)
			iss.set(func() { iss.down = false })
			time.Sleep(time.Minute)
			found(t, r, "a", "b")
			mu.Lock()
			defer mu.Unlock()
			require.Len(t, events, 3)
			assert.Equal(t, []string{"a", "b"}, events[0].Added)
			assert.ErrorContains(t, events[1].Err, "connection refused")
			events[1].Err = nil
			assert.Equal(t, jwks.FetchEvent{Cause: "too old", Outcome: "given up", URL: issuerName + "/keys", Removed: []string{"a", "b"}}, events[1])
			assert.Equal(t, []string{"a", "b"}, events[2].Added)
		}},
		{"a set without a usable key is an error with the reasons, at most eight", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			var mu sync.Mutex
			var skipped []jwks.Skipped
			r := iss.remote(t, func(c *jwks.RemoteConfig) {
				c.OnFetch = func(e jwks.FetchEvent) {
					mu.Lock()
					defer mu.Unlock()
					if e.Outcome == "failed" {
						skipped = e.Skipped
					}
				}
			})
			found(t, r, "a")
			iss.set(func() {
				iss.keySet = answers(200, "application/json", `{"keys":[{"kty":"AKP","kid":"p"},{"kty":"oct","kid":"q","k":"AA"}]}`)
			})
			time.Sleep(70 * time.Minute)
			synctest.Wait()
			assert.ErrorContains(t, r.Status().LastError, `no usable key: 2 skipped, the first (kid "p"): unsupported kty "AKP"; kid "q": symmetric key`)
			assert.Empty(t, r.Status().Skipped, "those of the set in use")
			mu.Lock()
			assert.Len(t, skipped, 2)
			mu.Unlock()
			iss.set(func() {
				iss.keySet = answers(200, "application/json", `{"keys":[%s{"kty":"AKP"}]}`, strings.Repeat(`{"kty":"`+strings.Repeat("x", 1000)+`"},`, 900))
			})
			time.Sleep(2 * time.Minute)
			err := r.Status().LastError.Error()
			assert.Contains(t, err, "901 skipped")
			assert.Equal(t, 8, strings.Count(err, "unsupported kty"))
			assert.Contains(t, err, "and 893 more")
			assert.Less(t, len(err), 2048)
		}},
		{"one broken key among good ones is skipped alone", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.document = append([]byte(`{"keys":[{"kty":"RSA","kid":"x","n":"*","e":"AQAB"},`), iss.document[len(`{"keys":[`):]...)
			r := iss.remote(t)
			found(t, r, "a")
			missing(t, r, jwks.ErrKeyNotFound, "x")
			assert.Equal(t, []jwks.Skipped{{ID: "x", Reason: "a member is not valid base64url"}}, r.Status().Skipped)
		}},
		{"key sets of file servers, with odd media types or none", func(t *testing.T) {
			for _, contentType := range []string{"application/json", "application/jwk-set+json", "application/json;charset=UTF-8", "text/plain", "binary/octet-stream", ""} {
				iss := newIssuer(t, newKey(t, "a"))
				document := iss.document
				iss.keySet = func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = []string{contentType}
					_, _ = w.Write(document)
				}
				found(t, iss.remote(t), "a")
			}
		}},
		{"a redirect from https to https is followed", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			document := iss.document
			iss.keySet = func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Host != "cdn.example" {
					http.Redirect(w, req, "https://cdn.example/keys", http.StatusMovedPermanently)
					return
				}
				_, _ = w.Write(document)
			}
			found(t, iss.remote(t), "a")
		}},
		{"the caller's client lends its transport only", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.keySet = redirect("http://issuer.example/keys")
			r := iss.remote(t, func(c *jwks.RemoteConfig) {
				c.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
			})
			missing(t, r, jwks.ErrUnavailable, "a")
			assert.NoError(t, r.Close())
		}},
	})
}

// TestRediscoveryFailure: when the metadata document is due again after a day and fails, the key set is fetched from
// the known address, whatever the failure and however often.
func TestRediscoveryFailure(t *testing.T) {
	hangs := func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
	for name, metadata := range map[string]http.HandlerFunc{
		"fails": answers(500, "text/plain", "busy"), "is not there": http.NotFound, "hangs": hangs, "is a page": answers(200, "text/html", "<html>"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newKey(t, "a")
				iss := newIssuer(t, a)
				r := iss.remote(t)
				found(t, r, "a")
				iss.set(func() { iss.metadata = metadata })
				time.Sleep(24*time.Hour - time.Minute)
				for range 3 * 24 {
					time.Sleep(time.Hour)
					synctest.Wait()
					s := r.Status()
					require.NoError(t, s.LastError)
					assert.Zero(t, s.Failures)
				}
				_, discoveries := iss.count()
				assert.GreaterOrEqual(t, discoveries, 1+3)
				iss.publish(t, a, newKey(t, "b"))
				found(t, r, "b")
			})
		})
	}
}
