package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/examples/internal/browser"
)

//go:embed page.html page.css page.js
var pageFiles embed.FS

var pageTemplate = template.Must(template.ParseFS(pageFiles, "page.html"))

// live is the demo with its page: the programs, the caller, and what the page shows of them.
type live struct {
	servers  *servers
	caller   *caller
	attacker *attacker
	settings settings
	logger   *slog.Logger
	ended    context.Context // of the process: streams end with it
}

// runLive serves the page and the programs until ctx ends.
func runLive(ctx context.Context, set settings, stdout io.Writer, logger *slog.Logger) error {
	l := &live{settings: set, logger: logger}
	s, err := start(ctx, set, logger, l.prepare)
	if err != nil {
		return err
	}
	l.printAddresses(stdout)
	if err := l.signInAlice(ctx); err != nil && ctx.Err() == nil {
		logger.Warn("alice could not be signed in: sign in on the page", "error", err)
	}
	return s.wait()
}

// prepare starts the caller and returns what the web client's port serves.
func (l *live) prepare(ctx context.Context, s *servers) (_ http.Handler, err error) {
	l.servers, l.ended = s, ctx
	if l.attacker, err = newAttacker(s.issuerURL); err != nil {
		return nil, err
	}
	l.caller = newCaller(s.apis, time.Second, s.authServer.running)
	s.onLogin = l.caller.signedIn
	s.serve(func() error { return l.caller.run(ctx) }, nil)
	return l.handler(), nil
}

// signInAlice lets the story begin without a person: it fills in the login form.
func (l *live) signInAlice(ctx context.Context) error {
	b := browser.New(nil)
	page, err := b.Get(ctx, l.servers.clientURL+"/login")
	if err != nil {
		return err
	}
	page, err = b.Submit(ctx, page, map[string]string{"username": "alice", "password": "alice"})
	if err == nil && page.Status != http.StatusOK {
		err = fmt.Errorf("the web client answered with status %d", page.Status)
	}
	return err
}

func (l *live) printAddresses(w io.Writer) {
	fmt.Fprintf(w, `
  Look at   %s
            The timeline of every call. alice is signed in already; sign in yourself as alice (password alice) or bob (bob).

  authorization server      %s/.well-known/openid-configuration
`, l.servers.clientURL, l.servers.issuerURL)
	for i, api := range l.settings.apis {
		fmt.Fprintf(w, "  %-25s %s/identity\n", api.name, l.servers.apis[i])
	}
	fmt.Fprintf(w, `
  An access token lives for %v. Each Api1 accepts it for its own clock skew longer. Then it answers 401 invalid_token,
  the caller refreshes, and its next call succeeds.
  Ctrl-C ends everything.

`, l.settings.lifetime)
}

func (l *live) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", l.servers.client)
	mux.HandleFunc("GET /{$}", l.page)
	mux.Handle("GET /page.css", http.FileServerFS(pageFiles))
	mux.Handle("GET /page.js", http.FileServerFS(pageFiles))
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { l.caller.timeline.stream(w, r, l.ended) })
	mux.HandleFunc("POST /do/{action}", l.do)

	// Other sites' pages must not press these buttons.
	protection := http.NewCrossOriginProtection()
	return protection.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	}))
}

func (l *live) page(w http.ResponseWriter, _ *http.Request) {
	type lane struct {
		Name  string
		Skew  float64
		Index int
	}
	view := struct {
		Lanes    []lane
		Lifetime float64
		Forged   []string
	}{Lifetime: l.settings.lifetime.Seconds(), Forged: l.attacker.names()}
	for i, api := range l.settings.apis {
		view.Lanes = append(view.Lanes, lane{Name: api.name, Skew: api.skew.Seconds(), Index: i})
	}
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, view); err != nil {
		l.logger.Error("page", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body.Bytes())
}

// do carries out a button.
func (l *live) do(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	ctx := r.Context()
	var err error
	switch action := r.PathValue("action"); action {
	case "call":
		l.caller.callAll(ctx)
	case "pause", "resume":
		l.caller.pause(action == "pause")
	case "signout":
		l.caller.signOut(ctx, l.servers.issuerURL+"/revoke")
	case "revoke":
		if s, _ := l.caller.current(); s != nil {
			_, err = l.servers.issuer.Revoke(ctx, authserver.Selector{Subject: s.user}, "admin")
			l.caller.timeline.note("The grant was revoked at the authorization server. The APIs accept its access tokens until they expire.")
		}
	case "rotate":
		if err = l.servers.issuer.Keys.Rotate(ctx); err == nil {
			l.caller.timeline.note("The signing key was rotated: the next token names another kid.")
		}
	case "stop":
		if err = l.servers.authServer.setRunning(ctx, false); err == nil {
			l.caller.timeline.note("The authorization server is stopped. The APIs go on with the keys that they have.")
		}
	case "start":
		if err = l.servers.authServer.setRunning(ctx, true); err == nil {
			l.caller.timeline.note("The authorization server is back.")
		}
	case "forge":
		if !slices.Contains(l.attacker.names(), r.FormValue("name")) {
			http.Error(w, "there is no such forged token", http.StatusBadRequest)
			return
		}
		err = l.attacker.send(ctx, l.caller, r.FormValue("name"))
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		l.logger.Warn("button", "action", r.PathValue("action"), "error", err)
		http.Error(w, "that did not work", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
