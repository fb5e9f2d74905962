package webclient

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"

	"github.com/bearergate/bearergate/middleware/authclient"
)

//go:embed page.html
var pages embed.FS

var page = template.Must(template.ParseFS(pages, "page.html"))

// view is what the page shows.
type view struct {
	SignedIn  bool
	Name      string
	Identity  string // the answer of Api1, indented
	ExpiresAt string
	Problem   string
}

// home calls Api1. It does not handle a 401: the session's HTTP client refreshes the token and retries once, so what arrives
// is final.
func (a *App) home(w http.ResponseWriter, r *http.Request) {
	s, ok := a.sessions.get(r, sessionCookie)
	if !ok {
		a.show(w, http.StatusOK, view{})
		return
	}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, a.options.API+"/identity", nil)
	if err != nil {
		a.fail(w, http.StatusInternalServerError, "The request to Api1 could not be created.", err)
		return
	}
	response, err := s.api.Do(request)
	switch {
	case errors.Is(err, authclient.ErrLoginRequired):
		a.signInAgain(w, r)
		return
	case errors.Is(err, authclient.ErrRefreshFailed):
		a.fail(w, http.StatusBadGateway, "The authorization server could not renew the access token"+oauthCode(err)+".", err)
		return
	case err != nil:
		a.fail(w, http.StatusBadGateway, "Api1 could not be reached.", err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	switch {
	case err != nil:
		a.fail(w, http.StatusBadGateway, "Api1's answer was cut off.", err)
		return
	case response.StatusCode == http.StatusUnauthorized && s.over():
		a.signInAgain(w, r)
		return
	case response.StatusCode != http.StatusOK:
		a.fail(w, http.StatusBadGateway, "Api1 answered "+response.Status+".", fmt.Errorf("api answered %s: %q", response.Status, response.Header.Get("WWW-Authenticate")))
		return
	}
	var claims struct {
		Name    string `json:"name"`
		Subject string `json:"sub"`
	}
	var pretty bytes.Buffer
	if json.Unmarshal(body, &claims) != nil || json.Indent(&pretty, body, "", "  ") != nil {
		a.fail(w, http.StatusBadGateway, "Api1 did not answer with JSON.", errors.New("api answered without JSON"))
		return
	}
	if claims.Name == "" {
		claims.Name = claims.Subject
	}
	a.show(w, http.StatusOK, view{SignedIn: true, Name: claims.Name, Identity: pretty.String(), ExpiresAt: s.tokens().ExpiresAt})
}

// signInAgain drops a session that the authorization server has ended.
func (a *App) signInAgain(w http.ResponseWriter, r *http.Request) {
	a.sessions.take(r, sessionCookie)
	dropCookie(w, sessionCookie)
	a.show(w, http.StatusUnauthorized, view{Problem: "Your session has ended. Please sign in again."})
}

func (a *App) fail(w http.ResponseWriter, status int, problem string, err error) {
	a.logger.Warn(problem, "error", err)
	a.show(w, status, view{Problem: problem})
}

func (a *App) show(w http.ResponseWriter, status int, v view) {
	var body bytes.Buffer
	if err := page.Execute(&body, v); err != nil {
		a.logger.Error("page", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
