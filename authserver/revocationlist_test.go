package authserver_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// revoked asks for the revocation list as the resource server api1.
func (w *world) revoked(since string) reply {
	return w.do(as(revokedRequest(since), "worker", "worker secret"))
}

func revokedRequest(since string) *http.Request {
	target := issuer + "/revoked"
	if since != "" {
		target += "?since=" + url.QueryEscape(since)
	}
	return httptest.NewRequest("GET", target, nil)
}

// entries returns the exp of each id of a page.
func entries(t testing.TB, page reply) map[string]int64 {
	t.Helper()
	require.Equal(t, http.StatusOK, page.status, page.body)
	require.Equal(t, "no-store", page.header.Get("Cache-Control"))
	list, ok := page.json["revoked"].([]any)
	require.True(t, ok, page.body)
	out := map[string]int64{}
	for _, e := range list {
		entry, _ := e.(map[string]any)
		require.Len(t, entry, 2)
		id, _ := entry["id"].(string)
		exp, _ := entry["exp"].(float64)
		out[id] = int64(exp)
	}
	require.Len(t, out, len(list), "each once")
	require.LessOrEqual(t, len(page.str("cursor")), 128)
	return out
}

func jti(t testing.TB, token string) string {
	t.Helper()
	_, c := claims(t, token)
	id, _ := c["jti"].(string)
	require.NotEmpty(t, id)
	return id
}

// Every revoked grant is listed, however it was revoked.
func TestEveryRevokedGrantIsListed(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(w *world, tokens reply) // ends the grant of the tokens
	}{
		{"by a logout", func(w *world, tokens reply) {
			r := w.browser().get(issuer + "/end_session?" + url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
			require.Equal(w.t, http.StatusOK, r.status)
		}},
		{"by its refresh token", func(w *world, tokens reply) { w.mvc("/revoke", "token", tokens.str("refresh_token")) }},
		{"by its access token", func(w *world, tokens reply) { w.mvc("/revoke", "token", tokens.str("access_token")) }},
		{"by a refresh token that was used before", func(w *world, tokens reply) {
			w.refresh(tokens.str("refresh_token"))
			w.advance(11 * time.Second)
			w.refused(w.refresh(tokens.str("refresh_token")), "invalid_grant")
		}},
		{"for its user", func(w *world, _ reply) {
			n, err := w.srv.Revoke(w.t.Context(), authserver.Selector{Subject: "alice-1"}, "password changed by support, see the ticket of today")
			require.NoError(w.t, err)
			require.Equal(w.t, 1, n)
		}},
		{"for its client", func(w *world, _ reply) {
			_, err := w.srv.Revoke(w.t.Context(), authserver.Selector{ClientID: mvcID}, "admin")
			require.NoError(w.t, err)
		}},
		{"by a changed password", func(w *world, _ reply) {
			_, err := w.srv.IssueTokens(w.t.Context(), authserver.IssueRequest{ClientID: "spa", Subject: "alice-1", EndOthers: true})
			require.NoError(w.t, err)
		}},
		{"by a limit of grants", func(w *world, _ reply) {
			w.advance(time.Second)
			w.signIn()
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.cfg.GrantsPerClient = 1 })
			tokens := w.signIn()
			other, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "spa", Subject: "bob-2"})
			require.NoError(t, err)
			before := w.revoked("")
			assert.Empty(t, entries(t, before))
			row.end(w, tokens)
			for _, since := range []string{"", before.str("cursor")} {
				list := entries(t, w.revoked(since))
				require.Len(t, list, 1)
				for id, exp := range list {
					assert.True(t, strings.HasPrefix(jti(t, tokens.str("access_token")), id+"."))
					assert.False(t, strings.HasPrefix(jti(t, other.AccessToken), id+"."))
					assert.Equal(t, w.row(tokens.str("refresh_token")).AccessExpiresAt.Unix(), exp)
				}
			}
		})
	}
	t.Run("by a code that was used before", func(t *testing.T) {
		w := newWorld(t)
		code := w.code()
		tokens := w.exchange(code)
		w.refused(w.exchange(code), "invalid_grant")
		list := entries(t, w.revoked(""))
		require.Len(t, list, 1)
		id, _, _ := strings.Cut(jti(t, tokens.str("access_token")), ".")
		assert.Contains(t, list, id)
	})
	t.Run("what never had an access token is not", func(t *testing.T) {
		w := newWorld(t)
		w.code()
		n, err := w.srv.Revoke(t.Context(), authserver.Selector{Subject: "alice-1"}, "admin")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		assert.Empty(t, entries(t, w.revoked("")))
	})
	t.Run("what a refresh replaced is not", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.cfg.RevokePreviousAccessToken = true })
		w.refresh(w.refreshToken())
		w.advance(time.Minute)
		assert.Empty(t, entries(t, w.revoked("")))
	})
	t.Run("client_credentials have no grant, and their jti begins with none", func(t *testing.T) {
		w := newWorld(t)
		own := w.do(as(formRequest("/token", "grant_type", "client_credentials"), "worker", "worker secret")).str("access_token")
		w.do(as(formRequest("/revoke", "token", own), "worker", "worker secret"))
		_, err := w.srv.Revoke(t.Context(), authserver.Selector{ClientID: "worker"}, "admin")
		require.NoError(t, err)
		assert.Empty(t, entries(t, w.revoked("")))
		assert.NotContains(t, jti(t, own), ".")
	})
}

// The token is issued between two whole seconds.
func TestEntriesStayUntilTheAccessTokensExpire(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.AccessTokenLifetime = 90500 * time.Millisecond })
	token := w.refreshToken()
	end := w.now().Add(90500*time.Millisecond + 5*time.Minute)
	w.mvc("/revoke", "token", token)
	w.advance(end.Sub(w.now()) - time.Millisecond)
	for _, exp := range entries(t, w.revoked("")) {
		assert.Equal(t, end.Add(500*time.Millisecond).Unix(), exp, "rounded up")
	}
	assert.Len(t, entries(t, w.revoked("")), 1)
	w.advance(time.Millisecond)
	assert.Empty(t, entries(t, w.revoked("")))
}

// cursor returns a cursor that no server has handed out.
func cursor(version byte, parts ...any) string {
	raw := []byte{version}
	for _, p := range parts {
		switch p := p.(type) {
		case time.Time:
			raw = binary.BigEndian.AppendUint64(raw, uint64(p.UnixMilli()))
		case string:
			raw = append(raw, p...)
		}
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

var (
	cursorTime  = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	cursorRow   = strings.Repeat("\xff", 16)
	goodCursors = map[string]string{
		"a time":                           cursor(1, cursorTime),
		"1970":                             cursor(1, time.UnixMilli(0)),
		"the last moment of the year 9999": cursor(1, time.UnixMilli(253402300799999)),
		"a page":                           cursor(1, cursorTime, cursorTime, cursorRow),
		"a page of 1970":                   cursor(1, time.UnixMilli(0), time.UnixMilli(0), cursorRow),
		"a page of the future":             cursor(1, time.UnixMilli(253402300799999), time.UnixMilli(253402300799999), cursorRow),
	}
	badCursors = map[string]string{
		"text":                          "yesterday",
		"a number":                      "1735689600",
		"another version":               cursor(2, cursorTime),
		"cut off":                       cursor(1, cursorTime)[:11],
		"a byte too few":                cursor(1, cursorTime)[:10],
		"a byte too many":               cursor(1, cursorTime, "\x00"),
		"a page without a row":          cursor(1, cursorTime, cursorTime),
		"a row cut off":                 cursor(1, cursorTime, cursorTime, cursorRow[1:]),
		"too long":                      cursor(1, cursorTime, cursorTime, cursorRow, "\x00"),
		"very long":                     strings.Repeat("A", 100_000),
		"before 1970":                   cursor(1, time.UnixMilli(-1)),
		"after the year 9999":           cursor(1, time.UnixMilli(253402300800000)),
		"a page that began before 1970": cursor(1, cursorTime, time.UnixMilli(-1), cursorRow),
		"padded":                        cursor(1, cursorTime) + "=",
		"with a line break":             cursor(1, cursorTime) + "\n",
		"with a space":                  " " + cursor(1, cursorTime),
		"the other alphabet":            strings.ReplaceAll(cursor(1, cursorTime, cursorTime, cursorRow), "_", "/"),
	}
)

func TestRevocationListRequests(t *testing.T) {
	w := newWorld(t)
	request := func(method, query string) *http.Request {
		return httptest.NewRequest(method, issuer+"/revoked"+query, nil)
	}
	worker := func(r *http.Request) *http.Request { return as(r, "worker", "worker secret") }
	type row struct {
		name   string
		r      *http.Request
		status int
		code   string
	}
	rows := []row{
		{"by Basic", worker(request("GET", "")), 200, ""},
		{"an empty since is none", worker(request("GET", "?since=")), 200, ""},
		{"what it does not know it does not mind", worker(request("GET", "?x=1")), 200, ""},
		{"nobody", request("GET", ""), 401, "invalid_client"},
		{"a wrong secret", as(request("GET", ""), "worker", "x"), 401, "invalid_client"},
		{"no secret", as(request("GET", ""), "worker", ""), 401, "invalid_client"},
		{"an unknown client", as(request("GET", ""), "nobody", "x"), 401, "invalid_client"},
		{"a public client", as(request("GET", ""), "spa", ""), 401, "invalid_client"},
		{"a client that serves nothing", as(request("GET", ""), mvcID, mvcKey), 403, "unauthorized_client"},
		{"credentials in the query", request("GET", "?client_id=worker&client_secret=worker+secret"), 400, "invalid_request"},
		{"credentials in the query, too", worker(request("GET", "?client_secret=worker+secret")), 400, "invalid_request"},
		{"since twice", worker(request("GET", "?since=&since="+goodCursors["a time"])), 400, "invalid_request"},
		{"a query that is none", worker(request("GET", "?since=%zz")), 400, "invalid_request"},
		{"a query that is not UTF-8", worker(request("GET", "?since=%ff")), 400, "invalid_request"},
		{"POST", worker(request("POST", "")), 405, "invalid_request"},
		{"HEAD", worker(request("HEAD", "")), 405, "invalid_request"},
		{"OPTIONS", worker(request("OPTIONS", "")), 405, "invalid_request"},
		{"who may not learns nothing about cursors", as(request("GET", "?since=x"), "worker", "x"), 401, "invalid_client"},
	}
	for name, c := range goodCursors {
		rows = append(rows, row{"cursor: " + name, worker(revokedRequest(c)), 200, ""})
	}
	for name, c := range badCursors {
		rows = append(rows, row{"cursor: " + name, worker(revokedRequest(c)), 400, "invalid_request"})
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			row.r.Header.Set("Origin", "http://127.0.0.1:5003")
			out := w.do(row.r)
			assert.Equal(t, row.status, out.status, out.body)
			assert.Equal(t, row.code, out.str("error"))
			assert.Equal(t, "no-store", out.header.Get("Cache-Control"))
			assert.Equal(t, "nosniff", out.header.Get("X-Content-Type-Options"))
			assert.Equal(t, row.status == 401, out.header.Get("WWW-Authenticate") != "")
			assert.Empty(t, out.header.Get("Access-Control-Allow-Origin"), "not for browsers")
			allow := ""
			if row.status == 405 {
				allow = "GET"
			}
			assert.Equal(t, allow, out.header.Get("Allow"))
			if row.status == 200 {
				assert.Empty(t, entries(t, out))
				assert.Equal(t, 200, w.revoked(out.str("cursor")).status)
			}
		})
	}
	w.kinds()
	w.do(as(request("GET", ""), "spa", ""))
	w.do(as(request("GET", ""), "worker", "x"))
	assert.Equal(t, []string{"client.failed", "client.failed"}, w.kinds(), "as at the introspection endpoint")

	w.store.Store = noList{w.store.Store}
	out := w.revoked("")
	w.refused(out, "temporarily_unavailable")
	assert.Equal(t, "1", out.header.Get("Retry-After"))
}

// noList is a store whose Revoked fails.
type noList struct{ authserver.Store }

func (noList) Revoked(context.Context, time.Time, string, time.Time, int) ([]authserver.Revocation, error) {
	return nil, errBroken
}

// grants makes grants as if tokens had been issued, and returns their ids.
func (w *world) grants(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%016d", i*7919%n))
		require.NoError(w.t, w.store.Create(w.t.Context(), authserver.Grant{ID: ids[i], ClientID: "spa", Subject: "bob-2", CreatedAt: w.now(),
			ExpiresAt: w.now().Add(time.Hour), IdleExpiresAt: w.now().Add(time.Hour), Generation: 1, AccessExpiresAt: w.now().Add(10 * time.Minute)}))
	}
	return ids
}

// 2500 revocations are read page by page while more come in; the next poll has those as well.
func TestRevocationListPages(t *testing.T) {
	w := newWorld(t)
	ids := w.grants(3000)
	revoke := func(ids ...string) {
		for _, id := range ids {
			_, err := w.srv.Revoke(t.Context(), authserver.Selector{ID: id}, "admin")
			require.NoError(t, err)
		}
	}
	revoke(ids[:2000]...) // all at one time
	w.advance(time.Second)
	revoke(ids[2000:2500]...)
	known := map[string]bool{}
	walk := func(since string, meanwhile func(page int)) (cursor string, pages int) {
		for {
			page := w.revoked(since)
			list := entries(t, page)
			for id := range list {
				known[id] = true
			}
			meanwhile(pages)
			pages++
			since = page.str("cursor")
			more, there := page.json["more"]
			if !there {
				return since, pages
			}
			assert.Equal(t, true, more)
			require.Len(t, list, 1000)
		}
	}
	var wg sync.WaitGroup
	cursor, pages := walk("", func(page int) {
		wg.Go(func() { revoke(ids[2500+100*page : 2500+100*page+100]...) })
	})
	wg.Wait()
	assert.Equal(t, 3, pages)
	for i, id := range ids[:2500] {
		require.True(t, known[id], i)
	}
	w.advance(5 * time.Second)
	walk(cursor, func(int) {})
	for i, id := range ids[:2800] {
		require.True(t, known[id], i)
	}
	assert.Len(t, known, 2800)

	w.advance(3 * time.Minute)
	cursor, _ = walk(cursor, func(int) {})
	clear(known)
	walk(cursor, func(int) {})
	assert.Empty(t, known, "a poll brings what is new, and the last 90 seconds again")
	revoke(ids[2900])
	cursor, _ = walk(cursor, func(int) {})
	w.advance(90 * time.Second)
	clear(known)
	cursor, _ = walk(cursor, func(int) {})
	assert.Equal(t, map[string]bool{ids[2900]: true}, known)
	w.advance(time.Millisecond)
	cursor, _ = walk(cursor, func(int) {})
	clear(known)
	walk(cursor, func(int) {})
	assert.Empty(t, known)
}

// A revocation becomes visible after the reader has passed its time, and the clock of the process that the reader asked is
// ahead.
func TestRevocationThatShowsUpLate(t *testing.T) {
	w := newWorld(t)
	late, walking := w.refreshToken(), w.refreshToken()
	w.grants(1001)
	_, err := w.srv.Revoke(t.Context(), authserver.Selector{ClientID: "spa"}, "admin")
	require.NoError(t, err)
	began := w.now()
	first := w.revoked("")
	require.Equal(t, true, first.json["more"])
	w.advance(40 * time.Second) // the reader takes its time for the second page
	second := w.revoked(first.str("cursor"))
	require.NotContains(t, second.json, "more")
	_, err = w.store.Revoke(t.Context(), authserver.Selector{ID: w.row(late).ID}, "user", began.Add(-90*time.Second))
	require.NoError(t, err)
	assert.Contains(t, entries(t, w.revoked(second.str("cursor"))), w.row(late).ID, "90 seconds count from the beginning of the first page")

	w.advance(time.Hour)
	ahead := w.revoked("").str("cursor")
	w.advance(-50 * time.Minute)
	w.refresh(walking)
	w.mvc("/revoke", "token", walking)
	assert.Contains(t, entries(t, w.revoked(ahead)), w.row(walking).ID, "a cursor of a clock that is ahead hides nothing")
}
