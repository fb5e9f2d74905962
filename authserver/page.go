package authserver

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// The pages work without scripts and load nothing. Their one style element is allowed by its hash.
const pageStyle = `body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1c2330}
main{max-width:22rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:8px;box-shadow:0 1px 4px #0002}
h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:.75rem 0 .25rem}
input{box-sizing:border-box;width:100%;padding:.5rem;font:inherit;border:1px solid #98a2b3;border-radius:4px}
button{margin-top:1.25rem;width:100%;padding:.6rem;font:inherit;color:#fff;background:#1f5fbf;border:0;border-radius:4px}
p.problem{color:#a4161a}`

var pages = template.Must(template.New("").Parse(`{{define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title><style>` + pageStyle + `</style></head><body><main><h1>{{.Title}}</h1>
{{end}}{{define "login"}}{{template "head" .}}{{if .Client}}<p>to continue to {{.Client}}</p>
{{end}}{{if .Problem}}<p class="problem" role="alert">{{.Problem}}</p>
{{end}}<form method="post" action="{{.Action}}">
<input type="hidden" name="return" value="{{.Return}}"><input type="hidden" name="csrf" value="{{.CSRF}}">
<label for="username">User name</label>
<input id="username" name="username" value="{{.Username}}" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Sign in</button></form></main></body></html>
{{end}}{{define "logout"}}{{template "head" .}}<form method="post" action="{{.Action}}">
<input type="hidden" name="return" value="{{.Return}}"><input type="hidden" name="csrf" value="{{.CSRF}}">
<button type="submit">Sign out</button></form></main></body></html>
{{end}}{{define "message"}}{{template "head" .}}<p>{{.Problem}}</p></main></body></html>
{{end}}`))

// page is the data of the templates.
type page struct {
	Title, Problem, Client                 string
	Action, Return, CSRF, Username, Allows string
}

// showPage writes a page that nobody may frame or cache, and that can send its form only here and to p.Allows.
func (s *Server) showPage(w http.ResponseWriter, status int, name string, p page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; style-src '"+sourceHash(pageStyle)+
		"'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+p.Allows))
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	// With no-referrer browsers send Origin: null with a form, and it would look like the form of another site.
	if p.Action != "" {
		h.Set("Referrer-Policy", "same-origin")
	}
	noStore(w)
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, p); err != nil {
		s.log.Debug("page not sent", "error", err)
	}
}

// showProblem tells the user, not the client, that a request can't be answered: there is no redirect URI to trust.
func (s *Server) showProblem(w http.ResponseWriter, status int, text string) {
	s.showPage(w, status, "message", page{Title: "This request can't be answered", Problem: text})
}

// sourceHash returns how a Content-Security-Policy names an inline style or script.
func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// packQuery encodes the request that a form continues in base64url, so that it needs no HTML escapes.
func packQuery(query string) string { return base64.RawURLEncoding.EncodeToString([]byte(query)) }

func unpackQuery(packed string) (string, bool) {
	raw, err := strictBase64.DecodeString(packed)
	return string(raw), err == nil
}

// submitScript is the server's only script. It sends a form that is complete; without scripts there is a button.
const submitScript = `document.forms[0].submit()`

var formPostPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Back to the application</title></head><body>
<form method="post" action="{{.URI}}">
{{range $name, $values := .Params}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<noscript><button type="submit">Continue</button></noscript></form>
<script>` + submitScript + `</script></body></html>
`))

// showFormPost answers with response_mode form_post (OAuth 2.0 Form Post Response Mode), which ASP.NET's client
// requests.
func (s *Server) showFormPost(w http.ResponseWriter, uri string, params url.Values) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src '"+sourceHash(submitScript)+
		"'; base-uri 'none'; frame-ancestors 'none'; form-action "+formAction(uri))
	h.Set("Referrer-Policy", "no-referrer")
	noStore(w)
	// The client has registered the URI. The template would replace a scheme that it does not know.
	data := map[string]any{"URI": template.URL(uri), "Params": params} //nolint:gosec // see above
	if err := formPostPage.Execute(w, data); err != nil {
		s.log.Debug("page not sent", "error", err)
	}
}
