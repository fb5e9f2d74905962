package authserver

import (
	"html/template"
	"net/http"
	"net/url"
)

// The one script of the server sends a form that is complete; without scripts there is the button.
const submitScript = `document.forms[0].submit()`

var formPostPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Back to the application</title></head><body>
<form method="post" action="{{.URI}}">
{{range $name, $values := .Params}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<noscript><button type="submit">Continue</button></noscript></form>
<script>` + submitScript + `</script></body></html>
`))

// showFormPost answers with response_mode form_post (OAuth 2.0 Form Post Response Mode), what ASP.NET's client asks for.
func (s *Server) showFormPost(w http.ResponseWriter, uri string, params url.Values) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src '"+sourceHash(submitScript)+
		"'; base-uri 'none'; frame-ancestors 'none'; form-action "+formAction(uri))
	h.Set("Referrer-Policy", "no-referrer")
	noStore(w)
	// The URI is one that the client has registered; the template would replace a scheme that it does not know.
	data := map[string]any{"URI": template.URL(uri), "Params": params} //nolint:gosec // see above
	if err := formPostPage.Execute(w, data); err != nil {
		s.log.Debug("page not sent", "error", err)
	}
}
