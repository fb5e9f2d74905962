package authserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/bearergate/bearergate/internal/strictjson"
)

const maxBody = 64 << 10

// params are the parameters of a request: each at most once, except resource (RFC 8707). A parameter without a value
// counts as not sent (RFC 6749, Section 3.2), but still as a duplicate.
type params url.Values

func (p params) get(name string) string { return url.Values(p).Get(name) }

func (p params) resources() []string {
	return slices.DeleteFunc(slices.Clone(p["resource"]), func(v string) bool { return v == "" })
}

// knownParams are the names with a meaning at the endpoints for clients. A query ends up in logs, so these names are
// refused in the query of a POST.
var knownParams = []string{"client_id", "client_secret", "client_assertion", "client_assertion_type", "grant_type",
	"code", "code_verifier", "redirect_uri", "refresh_token", "scope", "resource", "token", "token_type_hint", "username",
	"password"}

// newParams refuses duplicates: a proxy and the server could each read another one.
func newParams(form url.Values) (params, *oauthError) {
	for name, values := range form {
		switch {
		case name == "resource":
		case len(values) > 1:
			return nil, invalidRequest("a parameter is there more than once")
		case !utf8.ValidString(values[0]):
			return nil, invalidRequest("a parameter is not UTF-8")
		}
	}
	return params(form), nil
}

// readForm reads an application/x-www-form-urlencoded body.
func readForm(w http.ResponseWriter, r *http.Request) (params, *oauthError) {
	body, refusal := readBody(w, r, "application/x-www-form-urlencoded")
	if refusal != nil {
		return nil, refusal
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, invalidRequest("the body is not form-urlencoded")
	}
	return newParams(form)
}

// readJSON reads an application/json body whose members are the parameters.
func readJSON(w http.ResponseWriter, r *http.Request) (params, *oauthError) {
	body, refusal := readBody(w, r, "application/json")
	if refusal != nil {
		return nil, refusal
	}
	form, err := jsonForm(body)
	switch {
	case errors.Is(err, strictjson.ErrDuplicate):
		return nil, invalidRequest("a parameter is there more than once")
	case err != nil:
		return nil, invalidRequest("the body is not a JSON object of strings")
	}
	return newParams(form)
}

var errNotString = errors.New("authserver: the member is not a string")

// jsonForm reads one strict JSON object as a form. Members with an unknown name may have any value, but none twice.
func jsonForm(body string) (url.Values, error) {
	form := url.Values{}
	return form, strictjson.Object(body, func(name string, v strictjson.Value) error {
		if !slices.Contains(knownParams, name) {
			return nil
		}
		if name == "resource" && v.EachString(func(s string) bool { form.Add(name, s); return true }) {
			return nil
		}
		text, ok := v.Text()
		if !ok && v.Kind() != 'n' { // null counts as not sent
			return errNotString
		}
		form.Add(name, text)
		return nil
	})
}

// readBody makes the checks that all POST endpoints have in common.
func readBody(w http.ResponseWriter, r *http.Request, mediaType string) (string, *oauthError) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return "", methodNotAllowed("the method is not POST")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", invalidRequest("the query is malformed")
	}
	if slices.ContainsFunc(knownParams, query.Has) {
		return "", invalidRequest("parameters belong in the body, not in the query")
	}
	if sent := r.Header.Values("Content-Type"); len(sent) != 1 || !isMediaType(sent[0], mediaType) {
		return "", invalidRequest("the content type is not " + mediaType)
	}
	if r.Header.Get("Content-Encoding") != "" {
		return "", invalidRequest("the body has a content encoding")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		return string(body), nil
	}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return "", invalidRequest("the body is larger than 64 KiB")
	}
	return "", &oauthError{status: http.StatusBadRequest, code: "invalid_request", description: "the body is incomplete",
		cause: err}
}

// isMediaType ignores the parameters of a Content-Type.
func isMediaType(header, mediaType string) bool {
	got, _, err := mime.ParseMediaType(header)
	return err == nil && got == mediaType
}
