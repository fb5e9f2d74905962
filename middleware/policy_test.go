package middleware_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// A policy is one row of the matrix, which is the specification of this package: what is configured, what is asked, and
// what is answered. The tables stand in the files policy_*_test.go, by topic.
type policy struct {
	name   string  // a sentence fragment
	given  setting // nil: NewConfig's defaults
	ask    asking
	status int
	reason string // of the event
	says   string // WWW-Authenticate, values joined by line breaks
}

// A world is one issuer, one server and one request.
type world struct {
	t     *testing.T
	iss   *authtest.Issuer
	other *authtest.Issuer // at https://other.test, accepted only if a setting says so
	cfg   *middleware.Config
	route func(*middleware.Bearer) func(http.Handler) http.Handler
}

type setting func(*world)

type asking func(*world) *http.Request

// policies are all tables.
var policies = map[string][]policy{
	"form": formPolicies, "header": headerPolicies, "payload": payloadPolicies, "claims": claimPolicies,
	"time": timePolicies, "http": httpPolicies, "answers": answerPolicies, "scope": scopePolicies,
	"issuers": issuerPolicies, "aspnet": aspnetPolicies, "keys": keyPolicies, "check": checkPolicies,
}

func TestPolicies(t *testing.T) {
	reasons := map[string]bool{}
	rows := 0
	for topic, table := range policies {
		t.Run(topic, func(t *testing.T) {
			names := map[string]bool{}
			for _, p := range table {
				rows++
				reasons[p.reason] = true
				assert.False(t, names[p.name], "a second row is called %q", p.name)
				names[p.name] = true
				t.Run(p.name, func(t *testing.T) { p.run(t) })
			}
		})
	}
	assert.GreaterOrEqual(t, rows, 250)
	for _, reason := range allReasons(t) {
		assert.True(t, reasons[reason] || reason == middleware.ReasonUnknown, "no row ends with %q", reason)
	}
	t.Logf("%d rows", rows)
}

func (p policy) run(t *testing.T) {
	w := &world{t: t, iss: authtest.NewIssuer(t), other: authtest.NewIssuer(t, authtest.IssuedBy("https://other.test"))}
	w.cfg = w.iss.Config("api1")
	w.route = func(b *middleware.Bearer) func(http.Handler) http.Handler { return b.Handler }
	var events []middleware.Event
	w.cfg.OnEvent = func(_ context.Context, e middleware.Event) { events = append(events, e) }
	var log logText
	w.cfg.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if p.given != nil {
		p.given(w)
	}
	auth, err := middleware.New(w.cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = auth.Close() })
	reached := false
	h := w.route(auth)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	r := p.ask(w)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)

	assert.Equal(t, p.status, rec.Code)
	assert.Equal(t, p.says, strings.Join(rec.Header().Values("WWW-Authenticate"), "\n"))
	if assert.Len(t, events, 1, "one event for each outcome") {
		assert.Equal(t, p.reason, events[0].Reason, "%v", events[0].Err)
		assert.Equal(t, events[0].Reason == middleware.ReasonAccepted, events[0].Err == nil)
	}
	assert.Equal(t, p.status == 200, reached, "the handler is reached if and only if the token is good")
	if p.status != 200 {
		assert.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	}
	assert.Equal(t, p.status == 503, rec.Header().Get("Retry-After") != "")
	for _, raw := range r.Header["Authorization"] {
		if n := strings.LastIndexByte(raw, '.'); n > 0 && len(raw)-n > 20 {
			assert.NotContains(t, log.String(), raw[n+1:], "no token in the log")
			assert.NotContains(t, rec.Body.String(), raw[n+1:], "no token in the answer")
		}
	}
}

// logText is a log that several goroutines write: key sets are fetched in the background.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// allReasons reads the words from the source, so that a new one needs a row.
func allReasons(t *testing.T) (words []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			words = append(words, word)
		}
		return true
	})
	require.Greater(t, len(words), 30)
	return words
}

// What is given.

func with(change func(*middleware.Config)) setting { return func(w *world) { change(w.cfg) } }

func needs(scopes ...string) setting {
	return func(w *world) {
		w.route = func(b *middleware.Bearer) func(http.Handler) http.Handler { return b.Require(scopes...) }
	}
}

func needsThat(req middleware.Requirement) setting {
	return func(w *world) {
		w.route = func(b *middleware.Bearer) func(http.Handler) http.Handler { return b.RequireThat(req) }
	}
}

func all(settings ...setting) setting {
	return func(w *world) {
		for _, s := range settings {
			s(w)
		}
	}
}

func profile(p middleware.Profile) setting {
	return with(func(c *middleware.Config) { c.Issuer.Profile = p })
}

func style(s middleware.Style) setting { return with(func(c *middleware.Config) { c.Style = s }) }

func skew(d time.Duration) setting { return with(func(c *middleware.Config) { c.ClockSkew = d }) }

// What is asked.

// carrying is a request with a text as its token.
func carrying(text string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+text)
	return r
}

// mint asks with a token of the issuer.
func mint(mods ...authtest.Mod) asking {
	return func(w *world) *http.Request { return w.iss.Request("GET", "/", mods...) }
}

// late asks with a token of the issuer, d after it was issued.
func late(d time.Duration, mods ...authtest.Mod) asking {
	return func(w *world) *http.Request {
		r := w.iss.Request("GET", "/", mods...)
		w.iss.Advance(d)
		return r
	}
}

// text asks with a text that is made of a good token.
func text(change func(good string) string) asking {
	return func(w *world) *http.Request { return carrying(change(w.iss.Token())) }
}

// headed asks with a token, signed by the issuer, whose header is this text; KID stands for the issuer's kid.
func headed(header string) asking {
	return func(w *world) *http.Request {
		return carrying(w.iss.TokenOf(strings.ReplaceAll(header, "KID", w.iss.KeyID()), goodClaims(w, "")))
	}
}

// also asks with a good token, signed by the issuer, whose header has more members.
func also(members string) asking {
	return headed(`{"alg":"ES256","typ":"at+jwt","kid":"KID",` + members + `}`)
}

// body asks with a token, signed by the issuer, whose payload is this text.
func body(payload string) asking {
	return func(w *world) *http.Request {
		return carrying(w.iss.TokenOf(`{"alg":"ES256","typ":"at+jwt","kid":"`+w.iss.KeyID()+`"}`, payload))
	}
}

// claiming asks with a good token whose payload has more members, and not some others.
func claiming(members string, without ...string) asking {
	return func(w *world) *http.Request { return body(goodClaims(w, members, without...))(w) }
}

func goodClaims(w *world, members string, without ...string) string {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(w.iss.Token(), ".")[1])
	require.NoError(w.t, err)
	var claims map[string]json.RawMessage
	require.NoError(w.t, json.Unmarshal(payload, &claims))
	for _, name := range without {
		delete(claims, name)
	}
	payload, err = json.Marshal(claims)
	require.NoError(w.t, err)
	if members == "" {
		return string(payload)
	}
	return strings.TrimSuffix(string(payload), "}") + "," + members + "}"
}

// asking that changes a request without a token; it is given a good one.
func request(method string, change func(r *http.Request, good string)) asking {
	return func(w *world) *http.Request {
		r := httptest.NewRequest(method, "/", nil)
		change(r, w.iss.Token())
		return r
	}
}

// What is said.

const (
	nothing   = ""
	challenge = `Bearer realm="api1"`
)

func invalid(description string) string {
	return challenge + `, error="invalid_token", error_description="` + description + `"`
}

func badRequest(description string) string {
	return challenge + `, error="invalid_request", error_description="` + description + `"`
}

func insufficient(description, scope string) string {
	says := challenge + `, error="insufficient_scope", error_description="` + description + `"`
	if scope != "" {
		says += `, scope="` + scope + `"`
	}
	return says
}
