package authclient_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// hookedStore is a MemoryStore with faults.
type hookedStore struct {
	*authclient.MemoryStore
	load func() (*oauth2.Token, error)
	save func(context.Context, *oauth2.Token) error
	lock func(context.Context) (func(), error)
}

func (s *hookedStore) Load(ctx context.Context) (*oauth2.Token, error) {
	if s.load != nil {
		return s.load()
	}
	return s.MemoryStore.Load(ctx)
}

func (s *hookedStore) Save(ctx context.Context, token *oauth2.Token) error {
	if s.save != nil {
		return s.save(ctx, token)
	}
	return s.MemoryStore.Save(ctx, token)
}

func (s *hookedStore) Lock(ctx context.Context) (func(), error) {
	if s.lock != nil {
		return s.lock(ctx)
	}
	return s.MemoryStore.Lock(ctx)
}

func TestTokenIsSavedBeforeItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var order []string
		store := &hookedStore{MemoryStore: authclient.NewMemoryStore()}
		store.save = func(ctx context.Context, token *oauth2.Token) error {
			time.Sleep(time.Second)
			order = append(order, "store "+token.AccessToken)
			assert.NotContains(t, w.sent(), token.AccessToken)
			return store.MemoryStore.Save(ctx, token)
		}
		rt := w.transport(t, func(c *authclient.Config) {
			c.Store = store
			c.Save = func(_ context.Context, token *oauth2.Token) error {
				time.Sleep(time.Second)
				order = append(order, "hook "+token.AccessToken)
				assert.NotContains(t, w.sent(), token.AccessToken)
				token.AccessToken = "changed" // it is a copy
				return nil
			}
		})
		time.Sleep(time.Hour)
		statuses, _ := getConcurrently(rt, 10)
		assert.Equal(t, repeat(200, 10), statuses)
		assert.Equal(t, repeat("at-2", 10), w.sent())
		assert.Equal(t, []string{"store at-2", "hook at-2"}, order)
	})
}

func TestSaveErrorIsReportedAndTokenUsed(t *testing.T) {
	full := errors.New("no space left on device")
	for _, row := range []struct {
		name string
		mod  func(*authclient.Config, *hookedStore)
	}{
		{"the store", func(_ *authclient.Config, s *hookedStore) {
			s.save = func(context.Context, *oauth2.Token) error { return full }
		}},
		{"the hook", func(c *authclient.Config, _ *hookedStore) {
			c.Save = func(context.Context, *oauth2.Token) error { return full }
		}},
		{"the hook hangs", func(c *authclient.Config, _ *hookedStore) {
			c.Save = func(ctx context.Context, _ *oauth2.Token) error { <-ctx.Done(); return full }
		}},
		{"the lock", func(_ *authclient.Config, s *hookedStore) {
			s.lock = func(context.Context) (func(), error) { return nil, full }
		}},
		{"loading", func(_ *authclient.Config, s *hookedStore) {
			s.load = func() (*oauth2.Token, error) { return nil, full }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				store := &hookedStore{MemoryStore: authclient.NewMemoryStore()}
				var reported []error
				rt := w.transport(t, func(c *authclient.Config) {
					c.Store = store
					c.OnPersistError = func(err error) { reported = append(reported, err) }
					row.mod(c, store)
				})
				for i := range 3 {
					time.Sleep(time.Hour)
					assert.Equal(t, 200, get(t, rt))
					require.Len(t, reported, i+1)
					assert.ErrorIs(t, reported[i], full)
				}
				assert.Equal(t, []string{"at-2", "at-3", "at-4"}, w.sent(), "an older stored token is not used")
			})
		})
	}
}

func TestStoreErrorsWithoutHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		rt := w.transport(t, func(c *authclient.Config) {
			c.Store = &hookedStore{
				load: func() (*oauth2.Token, error) { return &oauth2.Token{}, nil },
				save: func(context.Context, *oauth2.Token) error { return errors.New("full") },
				lock: func(context.Context) (func(), error) { return nil, errors.New("no locks") },
			}
		})
		time.Sleep(time.Hour)
		assert.Equal(t, 200, get(t, rt))
	})
}

// If another process never releases the lock, the refresh fails after its timeout, and a later one succeeds.
func TestLockTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		store := authclient.NewMemoryStore()
		unlock, err := store.Lock(t.Context())
		require.NoError(t, err)
		rt := w.transport(t, func(c *authclient.Config) {
			c.Store = store
			c.OnPersistError = func(err error) { assert.Fail(t, "there was nothing to save", "%v", err) }
		})
		time.Sleep(time.Hour)
		begin := time.Now()
		_, err = tryGet(t.Context(), rt)
		require.ErrorIs(t, err, authclient.ErrRefreshFailed)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(begin))
		assert.Zero(t, w.refreshed())
		unlock()
		time.Sleep(time.Second)
		assert.Equal(t, 200, get(t, rt))

		unlock, err = store.Lock(t.Context())
		require.NoError(t, err)
		defer unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, rt.SetToken(ctx, &oauth2.Token{AccessToken: "at-new"}), context.DeadlineExceeded)
		assert.Equal(t, "at-new", rt.Current().AccessToken, "used in spite of the error")
	})
}

// Two Transports of one grant, as in two processes: one uses what the other has refreshed.
func TestSharedStore(t *testing.T) {
	type transports = [2]*authclient.Transport
	for _, row := range []struct {
		name string
		run  func(t *testing.T, w *world, rt transports)
		sent []string
		want int // refreshes
	}{
		{"one after the other at expiry", func(t *testing.T, _ *world, rt transports) {
			time.Sleep(time.Hour)
			assert.Equal(t, 200, get(t, rt[0]))
			assert.Equal(t, 200, get(t, rt[1]))
		}, []string{"at-2", "at-2"}, 1},
		{"the other much later", func(t *testing.T, _ *world, rt transports) {
			time.Sleep(time.Hour)
			assert.Equal(t, 200, get(t, rt[0]))
			time.Sleep(time.Hour)
			assert.Equal(t, 200, get(t, rt[1]))
			assert.Equal(t, 200, get(t, rt[0]))
		}, []string{"at-2", "at-3", "at-3"}, 2},
		{"after a 401", func(t *testing.T, w *world, rt transports) {
			w.revoke()
			time.Sleep(time.Second)
			assert.Equal(t, 200, get(t, rt[0]))
			assert.Equal(t, 200, get(t, rt[1]))
		}, []string{"at-1", "at-2", "at-1", "at-2"}, 1},
		{"after a 401 of the other's new token too", func(t *testing.T, w *world, rt transports) {
			w.revoke()
			time.Sleep(time.Second)
			assert.Equal(t, 200, get(t, rt[0]))
			w.revoke()
			assert.Equal(t, 401, get(t, rt[1]), "one retry, not two")
			assert.Equal(t, 200, get(t, rt[1]))
		}, []string{"at-1", "at-2", "at-1", "at-2", "at-2", "at-3"}, 2},
		{"an API that rejects every token: one refresh for each", func(t *testing.T, w *world, rt transports) {
			w.api = func(*http.Request) *http.Response { return response(401, "", "WWW-Authenticate", invalidToken) }
			for i := range 20 {
				time.Sleep(time.Second)
				assert.Equal(t, 401, get(t, rt[i%2]))
			}
			w.calls = nil
		}, nil, 2},
		{"in turns", func(t *testing.T, _ *world, rt transports) {
			for i := range 6 {
				time.Sleep(time.Hour)
				assert.Equal(t, 200, get(t, rt[i%2]))
			}
		}, []string{"at-2", "at-3", "at-4", "at-5", "at-6", "at-7"}, 6},
		{"a login in the other", func(t *testing.T, w *world, rt transports) {
			time.Sleep(time.Hour)
			assert.Equal(t, 200, get(t, rt[0]))
			w.expiry["at-new"] = time.Now().Add(30 * time.Minute)
			assert.NoError(t, rt[1].SetToken(t.Context(), &oauth2.Token{AccessToken: "at-new", Expiry: w.expiry["at-new"]}))
			delete(w.expiry, "at-2")
			assert.Equal(t, 200, get(t, rt[0]), "used although it expires earlier than the one it has saved")
		}, []string{"at-2", "at-2", "at-new"}, 1},
		{"a login in one", func(t *testing.T, w *world, rt transports) {
			time.Sleep(time.Hour)
			assert.Equal(t, 200, get(t, rt[0]))
			assert.Equal(t, 200, get(t, rt[1]))
			w.expiry["at-new"] = time.Now().Add(30 * time.Minute)
			assert.NoError(t, rt[0].SetToken(t.Context(), &oauth2.Token{AccessToken: "at-new", Expiry: w.expiry["at-new"]}))
			delete(w.expiry, "at-2")
			assert.Equal(t, 200, get(t, rt[1]), "used although it expires earlier, because it was saved later")
		}, []string{"at-2", "at-2", "at-2", "at-new"}, 1},
	} {
		for _, file := range []bool{false, true} {
			name := row.name + ", memory"
			if file {
				name = row.name + ", file"
			}
			t.Run(name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "token.json")
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					memory := authclient.NewMemoryStore()
					var rt transports
					for i := range rt {
						rt[i] = w.transport(t, func(c *authclient.Config) {
							c.Store = memory
							if file {
								c.Store = authclient.NewFileStore(path)
							}
						})
					}
					row.run(t, w, rt)
					assert.Equal(t, row.sent, w.sent())
					assert.Equal(t, row.want, w.refreshed())
				})
			})
		}
	}
}

// A login in one process serves all. Until then each process asks the authorization server once.
func TestLoginInAnotherProcess(t *testing.T) {
	for _, row := range []struct {
		name    string
		given   bool // the token, to New
		expired bool // the new token, when it is found: it is refreshed first
		sent    string
	}{{"given a token", true, false, "at-new"}, {"from the store", false, false, "at-new"}, {"found late", true, true, "at-2"}} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.refresh = answers(answer(400, `{"error":"invalid_grant"}`))
				loads := 0
				store := &hookedStore{MemoryStore: authclient.NewMemoryStore()}
				store.load = func() (*oauth2.Token, error) { loads++; return store.MemoryStore.Load(t.Context()) }
				cfg := w.config()
				cfg.Store = store
				ended := 0
				cfg.OnLoginRequired = func(error) { ended++ }
				token := w.login()
				require.NoError(t, store.Save(t.Context(), token))
				if !row.given {
					token = nil
				}
				rt, err := authclient.New(cfg, token)
				require.NoError(t, err)
				time.Sleep(time.Hour)
				for range 100 {
					_, err := tryGet(t.Context(), rt)
					require.ErrorIs(t, err, authclient.ErrLoginRequired)
				}
				assert.Equal(t, 1, w.refreshed())
				assert.LessOrEqual(t, loads, 3, "the store is not read for each failed call")

				w.expiry["at-new"] = time.Now().Add(time.Hour)
				require.NoError(t, store.Save(t.Context(), &oauth2.Token{AccessToken: "at-new", RefreshToken: "rt-1", Expiry: w.expiry["at-new"]}))
				time.Sleep(time.Second)
				if row.expired {
					time.Sleep(time.Hour)
				}
				assert.Equal(t, 200, get(t, rt))
				assert.Equal(t, []string{row.sent}, w.sent())
				assert.Equal(t, 1, ended)
			})
		})
	}
}

// After an API has rejected a new token, no further refresh is made, but a token of another process is still used.
func TestTokenOfAnotherProcessAfterRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		store := authclient.NewMemoryStore()
		rt := w.transport(t, func(c *authclient.Config) { c.Store = store })
		w.api = func(r *http.Request) *http.Response {
			if r.Header.Get("Authorization") == "Bearer at-new" {
				return response(200, "")
			}
			return response(401, "", "WWW-Authenticate", invalidToken)
		}
		assert.Equal(t, 401, get(t, rt))
		assert.Equal(t, 401, get(t, rt))
		require.NoError(t, store.Save(t.Context(), &oauth2.Token{AccessToken: "at-new", Expiry: time.Now().Add(time.Minute)}))
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, []string{"at-1", "at-2", "at-2", "at-2", "at-new"}, w.sent())
		assert.Equal(t, 1, w.refreshed())
	})
}

// A slow answer leaves time to save the new token, because the refresh token is spent.
func TestSaveHasItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(
			func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
			func(*http.Request) (*http.Response, error) { time.Sleep(24 * time.Second); return nil, nil })
		saved := false
		rt := w.transport(t, func(c *authclient.Config) {
			c.Save = func(ctx context.Context, _ *oauth2.Token) error {
				time.Sleep(4 * time.Second)
				saved = ctx.Err() == nil
				return ctx.Err()
			}
		})
		_, err := rt.Refresh(t.Context())
		require.NoError(t, err)
		assert.True(t, saved)
	})
}

// A store that hangs does not use up the timeout of the hook.
func TestHangingStoreLeavesTheHookItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var saved string
		rt := w.transport(t, func(c *authclient.Config) {
			c.Store = hangingSave{authclient.NewMemoryStore()}
			c.Save = func(ctx context.Context, token *oauth2.Token) error {
				if ctx.Err() == nil {
					saved = token.RefreshToken
				}
				return ctx.Err()
			}
		})
		_, err := rt.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "rt-2", saved)
	})
}

type hangingSave struct{ authclient.Store }

func (hangingSave) Save(ctx context.Context, _ *oauth2.Token) error {
	<-ctx.Done()
	return ctx.Err()
}

// A process without the lock may have spent the refresh token. So after invalid_grant the store is read once more.
func TestInvalidGrantReadsTheStoreAgain(t *testing.T) {
	for _, row := range []struct {
		name      string
		stored    *oauth2.Token
		want      string
		refreshes int
		err       error
	}{
		{"a valid token", &oauth2.Token{AccessToken: "at-2", RefreshToken: "rt-2"}, "at-2", 1, nil},
		{"an expired token that can be refreshed", &oauth2.Token{AccessToken: "at-2", RefreshToken: "rt-2", Expiry: time.Unix(1, 0)}, "at-3", 2, nil},
		{"the same refresh token", &oauth2.Token{AccessToken: "at-2", RefreshToken: "rt-1"}, "", 1, authclient.ErrLoginRequired},
		{"nothing", nil, "", 1, authclient.ErrLoginRequired},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				store := &hookedStore{MemoryStore: authclient.NewMemoryStore()}
				w.refresh = answers(func(*http.Request) (*http.Response, error) {
					w.rotate("rt-1")
					if row.stored != nil {
						assert.NoError(t, store.MemoryStore.Save(t.Context(), row.stored))
					}
					return response(400, `{"error":"invalid_grant"}`), nil
				})
				rt := w.transport(t, func(c *authclient.Config) { c.Store = store })
				time.Sleep(time.Hour)
				token, err := rt.Token()
				if row.err != nil {
					require.ErrorIs(t, err, row.err)
				} else {
					require.NoError(t, err)
					assert.Equal(t, row.want, token.AccessToken)
				}
				assert.Equal(t, row.refreshes, w.refreshed())
			})
		})
	}
}

func TestTokenFromStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		cfg := w.config()
		store := authclient.NewMemoryStore()
		cfg.Store = store
		ended := 0
		cfg.OnLoginRequired = func(error) { ended++ }
		rt, err := authclient.New(cfg, nil)
		require.NoError(t, err)
		assert.Nil(t, rt.Current())
		_, err = tryGet(t.Context(), rt)
		require.ErrorIs(t, err, authclient.ErrLoginRequired)
		assert.Zero(t, ended, "there was no grant that could end")

		require.NoError(t, store.Save(t.Context(), w.login())) // by another process
		assert.Equal(t, 200, get(t, rt))
		assert.Zero(t, w.refreshed())
		time.Sleep(time.Hour)
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
	})
}

// A token from the store that cannot be refreshed now is used until it expires.
func TestTokenFromStoreWithinTheMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(noAnswer, noAnswer)
		cfg := w.config()
		cfg.Store = authclient.NewMemoryStore()
		require.NoError(t, cfg.Store.Save(t.Context(), w.login()))
		time.Sleep(time.Hour - 5*time.Second)
		rt, err := authclient.New(cfg, nil)
		require.NoError(t, err)
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, []string{"at-1"}, w.sent())
		time.Sleep(5 * time.Second)
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
	})
}

// After a restart with the token of the first login, New uses the token that was stored since. After a new login it
// does not go back to the token that was stored before.
func TestGivenTokenAndStoredToken(t *testing.T) {
	for _, row := range []struct {
		name   string
		stored time.Duration // its expiry minus that of the given token
		want   string
	}{{"stored later", time.Hour, "at-stored"}, {"stored before", -time.Hour, "at-2"}} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				cfg := w.config()
				cfg.Store = authclient.NewMemoryStore()
				token := w.login()
				require.NoError(t, cfg.Store.Save(t.Context(), &oauth2.Token{AccessToken: "at-stored", RefreshToken: "rt-stored", Expiry: token.Expiry.Add(row.stored)}))
				rt, err := authclient.New(cfg, token)
				require.NoError(t, err)
				time.Sleep(time.Hour)
				got, err := rt.Token()
				require.NoError(t, err)
				assert.Equal(t, row.want, got.AccessToken)
			})
		})
	}
}

// Without expiries it is unknown which of two tokens is newer. A token that is saved after the first look is newer.
func TestTokensOfUnknownLifetimeInTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(noAnswer, noAnswer)
		store := authclient.NewMemoryStore()
		require.NoError(t, store.Save(t.Context(), &oauth2.Token{AccessToken: "at-old", RefreshToken: "rt-old"}))
		cfg := w.config()
		cfg.Store = store
		rt, err := authclient.New(cfg, &oauth2.Token{AccessToken: "at-1", RefreshToken: "rt-1"})
		require.NoError(t, err)
		assert.Equal(t, 401, get(t, rt), "the token stored before is not used")
		assert.Equal(t, "rt-1", w.forms[0].Get("refresh_token"))
		require.NoError(t, store.Save(t.Context(), &oauth2.Token{AccessToken: "at-new", RefreshToken: "rt-new"}))
		w.expiry["at-new"] = time.Now().Add(time.Hour)
		time.Sleep(time.Second)
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, []string{"at-1", "at-1", "at-new"}, w.sent())
		assert.Equal(t, 2, w.refreshed())
	})
}

func TestFileStoreRoundTrip(t *testing.T) {
	store := authclient.NewFileStore(filepath.Join(t.TempDir(), "token.json"))
	token, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.Nil(t, token, "no file, no token")

	expiry := time.Date(2030, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600))
	want := oauth2.Token{AccessToken: "at", TokenType: "Bearer", RefreshToken: "rt", Expiry: expiry, ExpiresIn: 60}
	require.NoError(t, store.Save(t.Context(), want.WithExtra(map[string]any{"id_token": "id", "scope": "api1", "other": 1})))
	token, err = store.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "id", token.Extra("id_token"))
	assert.Equal(t, "api1", token.Extra("scope"))
	want.Expiry = expiry.UTC()
	assert.Equal(t, want, *token.WithExtra(nil))

	require.NoError(t, store.Save(t.Context(), &oauth2.Token{AccessToken: "at"}))
	token, err = store.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, oauth2.Token{AccessToken: "at"}, *token.WithExtra(nil))
}

func TestFileStoreIsPrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "token.json")
	require.NoError(t, os.WriteFile(path, nil, 0o644)) // from before
	store := authclient.NewFileStore(path)
	token, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.Nil(t, token, "an empty file has no token")

	unlock, err := store.Lock(t.Context())
	require.NoError(t, err)
	require.NoError(t, store.Save(t.Context(), &oauth2.Token{AccessToken: "at", Expiry: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}))
	unlock()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "{\n  \"access_token\": \"at\",\n  \"expires_at\": \"2030-01-02T03:04:05Z\"\n}\n", string(data))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" { // which has no such modes
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), entry.Name())
		}
		assert.Contains(t, []string{"token.json", "token.json.lock"}, entry.Name(), "nothing is left behind")
	}
}

func TestFileStoreErrors(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"garbage": `{"access_token":"at-secret`,
		"array":   `["at-secret"]`,
		"type":    `{"access_token":"at-secret","expires_at":"at-secret"}`,
		"large":   `{"access_token":"at"}` + strings.Repeat(" ", 1<<20),
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := authclient.NewFileStore(path).Load(t.Context())
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "at-secret")
	}
	missing := authclient.NewFileStore(filepath.Join(dir, "no", "such", "directory"))
	assert.Error(t, missing.Save(t.Context(), &oauth2.Token{AccessToken: "at"}))
	_, err := missing.Lock(t.Context())
	assert.Error(t, err)
	directory := authclient.NewFileStore(dir)
	_, err = directory.Load(t.Context())
	assert.Error(t, err)
	assert.Error(t, directory.Save(t.Context(), &oauth2.Token{AccessToken: "at"}))
}

// FuzzTokenFile checks that no file causes a panic, and that a token survives writing and reading.
func FuzzTokenFile(f *testing.F) {
	f.Add([]byte(`{"access_token":"at","token_type":"Bearer","refresh_token":"rt","expires_at":"2030-01-02T03:04:05.0000006+01:00","expires_in":60,"id_token":"id","scope":"a b"}`))
	f.Add([]byte(`{"expires_at":null}`))
	f.Add([]byte(`{"expires_at":"0000-01-01T0:00:00,0+01:00"}`)) // the year before the first
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := authclient.DecodeTokenFile(data)
		if err != nil {
			return
		}
		written, err := authclient.EncodeTokenFile(token)
		require.NoError(t, err)
		again, err := authclient.DecodeTokenFile(written)
		require.NoError(t, err)
		assert.True(t, token.Expiry.Equal(again.Expiry))
		token.Expiry, again.Expiry = time.Time{}, time.Time{}
		assert.Equal(t, token, again)
	})
}
