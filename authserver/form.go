package authserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const maxBody = 64 << 10

// params are the parameters of a request: each at most once, except resource (RFC 8707). One that was sent without a value counts
// as not sent (RFC 6749 section 3.2).
type params struct {
	values    map[string]string // "" for one without a value, so that it still counts as a duplicate
	resources []string
}

func (p *params) get(name string) string { return p.values[name] }

// known are the names that have a meaning at the server's own endpoints. In the query of a POST they end up in logs, so they
// are refused there.
var known = []string{"client_id", "client_secret", "client_assertion", "client_assertion_type", "grant_type", "code",
	"code_verifier", "redirect_uri", "refresh_token", "scope", "resource", "token", "token_type_hint", "username", "password"}

// newParams makes params of a form that has been taken apart.
func newParams(form url.Values) (*params, *oauthError) {
	p := &params{values: make(map[string]string, len(form))}
	for name, vs := range form {
		for _, v := range vs {
			if refusal := p.add(name, v); refusal != nil {
				return nil, refusal
			}
		}
	}
	return p, nil
}

// add refuses duplicates, by which a proxy and the server could be made to see different requests.
func (p *params) add(name, value string) *oauthError {
	if name == "resource" {
		if value != "" {
			p.resources = append(p.resources, value)
		}
		return nil
	}
	if _, there := p.values[name]; there {
		return invalidRequest("a parameter is there more than once")
	}
	if !utf8.ValidString(value) {
		return invalidRequest("a parameter is not UTF-8")
	}
	p.values[name] = value
	return nil
}

// maxPairs is as many as net/url takes.
const maxPairs = 10_000

var errMalformed = errors.New("authserver: not form-urlencoded")

// parseForm takes an application/x-www-form-urlencoded body apart as [url.ParseQuery] does, straight into params: it is on the
// way of every request. malformed says that the body is no form at all, which counts before all else.
func parseForm(body string) (p *params, refusal *oauthError, malformed error) {
	if strings.Count(body, "&") >= maxPairs {
		return nil, nil, errMalformed
	}
	p = &params{values: make(map[string]string, 4)}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if strings.Contains(pair, ";") { // some take it for a second separator
			return nil, nil, errMalformed
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, nil, errMalformed
		}
		if refusal == nil {
			refusal = p.add(name, value)
		}
	}
	return p, refusal, nil
}

// readBody does the checks that all POST endpoints have in common.
func readBody(w http.ResponseWriter, r *http.Request, mediaType string) ([]byte, *oauthError) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return nil, &oauthError{status: http.StatusMethodNotAllowed, code: "invalid_request", description: "the method is not POST"}
	}
	if r.URL.RawQuery != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, invalidRequest("the query is malformed")
		}
		for _, name := range known {
			if query.Has(name) {
				return nil, invalidRequest("parameters belong in the body, not in the query")
			}
		}
	}
	if sent := r.Header.Values("Content-Type"); len(sent) != 1 || !isMediaType(sent[0], mediaType) {
		return nil, invalidRequest("the content type is not " + mediaType)
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, invalidRequest("the body has a content encoding")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		return body, nil
	}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, invalidRequest("the body is larger than 64 KiB")
	}
	return nil, &oauthError{status: http.StatusBadRequest, code: "invalid_request", description: "the body is incomplete", cause: err}
}

// isMediaType compares a Content-Type, whose parameters do not matter here.
func isMediaType(header, mediaType string) bool {
	if header == mediaType {
		return true
	}
	got, _, err := mime.ParseMediaType(header)
	return err == nil && got == mediaType
}

// readForm reads an application/x-www-form-urlencoded body.
func readForm(w http.ResponseWriter, r *http.Request) (*params, *oauthError) {
	body, refusal := readBody(w, r, "application/x-www-form-urlencoded")
	if refusal != nil {
		return nil, refusal
	}
	p, refusal, malformed := parseForm(string(body))
	if malformed != nil {
		return nil, invalidRequest("the body is not form-urlencoded")
	}
	return p, refusal
}

// readJSON reads an application/json body whose members are the parameters.
func readJSON(w http.ResponseWriter, r *http.Request) (*params, *oauthError) {
	body, refusal := readBody(w, r, "application/json")
	if refusal != nil {
		return nil, refusal
	}
	form, err := jsonForm(body)
	if err != nil {
		return nil, invalidRequest("the body is not a JSON object of strings")
	}
	return newParams(form)
}

var errNotObject = errors.New("authserver: not one JSON object")

// jsonForm turns one JSON object into a form. encoding/json alone would take the last of two members with one name, and names
// that differ in case; here a duplicate stays a duplicate. Members with an unknown name may be anything.
func jsonForm(body []byte) (url.Values, error) {
	if !utf8.Valid(body) {
		return nil, errNotObject
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	form := url.Values{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errNotObject
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		if !slices.Contains(known, name) {
			continue
		}
		var text *string
		if name == "resource" {
			var list []string
			if json.Unmarshal(raw, &list) == nil {
				form[name] = append(form[name], list...)
				continue
			}
		}
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, err
		}
		if text == nil { // null: not sent, but still there when it comes to duplicates
			text = new(string)
		}
		form.Add(name, *text)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotObject
	}
	return form, nil
}
