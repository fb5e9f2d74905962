package authservertest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// Refusal is an OAuth error answer.
type Refusal struct {
	Status            int
	Code, Description string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("authservertest: %d %s: %s", r.Status, r.Code, r.Description)
}

// SignIn signs alice in at a client in a new browser, by the code flow with PKCE, and returns the first tokens. Without
// scopes it asks for all that the client may have. An error ends the test.
func (s *Server) SignIn(client string, scopes ...string) *authserver.Tokens {
	return s.SignInAs("alice", client, scopes...)
}

// SignInAs is SignIn for another user.
func (s *Server) SignInAs(username, client string, scopes ...string) *authserver.Tokens {
	if s.tb != nil {
		s.tb.Helper()
	}
	c, known := s.clients[client]
	if !known || len(c.RedirectURIs) == 0 {
		s.fatal(fmt.Sprintf("there is no client %q with a redirect URI", client))
	}
	if len(scopes) == 0 {
		scopes = c.Scopes
	}
	verifier := rand.Text() + rand.Text()
	code, err := s.authorize(username, c, scopes, verifier)
	s.check(err)
	t, err := s.Token(client, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]},
		"code_verifier": {verifier}})
	s.check(err)
	return t
}

// Refresh presents a refresh token; scopes, if any, narrow the access token. A refusal is a [*Refusal].
func (s *Server) Refresh(client, refreshToken string, scopes ...string) (*authserver.Tokens, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	return s.Token(client, form)
}

// Token sends a form to the token endpoint as the client. A refusal is a [*Refusal].
func (s *Server) Token(client string, form url.Values) (*authserver.Tokens, error) {
	out, err := s.post(client, "/token", form)
	if err != nil {
		return nil, err
	}
	text := func(name string) string {
		v, _ := out[name].(string)
		delete(out, name)
		return v
	}
	seconds, _ := out["expires_in"].(float64)
	delete(out, "expires_in")
	return &authserver.Tokens{AccessToken: text("access_token"), TokenType: text("token_type"), RefreshToken: text("refresh_token"),
		IDToken: text("id_token"), Scope: text("scope"), ExpiresIn: time.Duration(seconds * float64(time.Second)), Extra: out}, nil
}

// Introspect asks the introspection endpoint about a token, as the client.
func (s *Server) Introspect(client, token string) (map[string]any, error) {
	return s.post(client, "/introspect", url.Values{"token": {token}})
}

// post sends a form with the client's authentication and reads the JSON of the answer.
func (s *Server) post(client, path string, form url.Values) (map[string]any, error) {
	secret := s.secrets[client]
	if secret == "" {
		form.Set("client_id", client)
	}
	r, err := http.NewRequest(http.MethodPost, s.issuer+path, strings.NewReader(form.Encode())) //nolint:noctx // in process
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	}
	res, body, err := do(s.HTTPClient(), r)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		return nil, fmt.Errorf("authservertest: %s answered %d without JSON", path, res.StatusCode)
	}
	if res.StatusCode != http.StatusOK {
		code, _ := out["error"].(string)
		description, _ := out["error_description"].(string)
		return nil, &Refusal{res.StatusCode, code, description}
	}
	return out, nil
}

func do(c *http.Client, r *http.Request) (*http.Response, string, error) {
	res, err := c.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

var (
	formTag   = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	hiddenTag = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// authorize signs a user in at the client and returns the code.
func (s *Server) authorize(username string, c authserver.Client, scopes []string, verifier string) (code string, err error) {
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.RedirectURIs[0]},
		"scope": {strings.Join(scopes, " ")}, "state": {rand.Text()}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	answer, err := Authorize(transport{s}, s.issuer+"/authorize?"+query.Encode(), username, s.people.byName[username].password)
	if err != nil {
		return "", err
	}
	if answer.Get("error") != "" {
		return "", &Refusal{http.StatusSeeOther, answer.Get("error"), answer.Get("error_description")}
	}
	if answer.Get("state") != query.Get("state") || answer.Get("code") == "" {
		return "", errors.New("authservertest: the answer does not belong to the request")
	}
	return answer.Get("code"), nil
}

// Authorize opens an authorization request in a new browser, signs the user in at the built-in form, and returns the
// parameters of the redirect to the client, which it does not follow. Nil is the default transport.
func Authorize(rt http.RoundTripper, authorizationURL, username, password string) (url.Values, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Transport: rt, Jar: jar, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if next.URL.Host == via[0].URL.Host {
			return nil
		}
		return http.ErrUseLastResponse
	}}
	r, err := http.NewRequest(http.MethodGet, authorizationURL, nil) //nolint:noctx // in a test
	if err != nil {
		return nil, err
	}
	res, page, err := do(browser, r)
	if err != nil {
		return nil, err
	}
	if m := formTag.FindStringSubmatch(page); m != nil {
		form := url.Values{"username": {username}, "password": {password}}
		for _, h := range hiddenTag.FindAllStringSubmatch(page, -1) {
			form.Set(h[1], html.UnescapeString(h[2]))
		}
		action, err := res.Request.URL.Parse(html.UnescapeString(m[1]))
		if err != nil {
			return nil, err
		}
		if r, err = http.NewRequest(http.MethodPost, action.String(), strings.NewReader(form.Encode())); err != nil { //nolint:noctx // in a test
			return nil, err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if res, _, err = do(browser, r); err != nil {
			return nil, err
		}
	}
	back, err := res.Location()
	if err != nil {
		return nil, fmt.Errorf("authservertest: signing in %q ended with %d", username, res.StatusCode)
	}
	return back.Query(), nil
}
