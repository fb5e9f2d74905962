// Package browser signs in over HTTP as a person with a browser would: it keeps cookies, follows redirects and fills in the
// login form.
package browser

import (
	"context"
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
)

// A Browser is one person's browser.
type Browser struct {
	client *http.Client
	stop   string // a redirect to a URL with this prefix is not followed
}

// New returns a browser with an empty cookie jar.
func New(transport http.RoundTripper) *Browser {
	jar, _ := cookiejar.New(nil) // fails only for a bad public suffix list, and there is none
	b := &Browser{}
	b.client = &http.Client{Transport: transport, Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("browser: more than 10 redirects")
		}
		if b.stop != "" && strings.HasPrefix(r.URL.String(), b.stop) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b
}

// Page is what the browser shows.
type Page struct {
	Status   int
	URL      *url.URL
	Location *url.URL // where the last redirect leads, if it was not followed
	Body     string
}

// Get opens a page.
func (b *Browser) Get(ctx context.Context, target string) (*Page, error) {
	return b.do(ctx, http.MethodGet, target, nil)
}

// SignIn opens an authorization request and fills in the login form it leads to. It stops before following a redirect to
// redirectURI and returns the address with the authorization server's answer.
func (b *Browser) SignIn(ctx context.Context, authorizationURL, redirectURI, username, password string) (*url.URL, error) {
	b.stop = redirectURI
	defer func() { b.stop = "" }()
	page, err := b.Get(ctx, authorizationURL)
	if err != nil {
		return nil, err
	}
	if page.Location == nil {
		if page, err = b.Submit(ctx, page, map[string]string{"username": username, "password": password}); err != nil {
			return nil, err
		}
	}
	if page.Location == nil {
		return nil, fmt.Errorf("browser: signing in ended on a page with status %d", page.Status)
	}
	return page.Location, nil
}

var (
	formTag  = regexp.MustCompile(`(?s)<form\b([^>]*)>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input\b([^>]*)>`)
	attr     = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// Submit sends the page's first form with its hidden fields and the given ones.
func (b *Browser) Submit(ctx context.Context, page *Page, fields map[string]string) (*Page, error) {
	form := formTag.FindStringSubmatch(page.Body)
	if form == nil {
		return nil, fmt.Errorf("browser: no form on a page with status %d", page.Status)
	}
	values := url.Values{}
	for _, input := range inputTag.FindAllStringSubmatch(form[2], -1) {
		a := attributes(input[1])
		if a["name"] != "" && a["type"] == "hidden" {
			values.Set(a["name"], a["value"])
		}
	}
	for name, value := range fields {
		values.Set(name, value)
	}
	action, err := page.URL.Parse(attributes(form[1])["action"])
	if err != nil {
		return nil, err
	}
	return b.do(ctx, http.MethodPost, action.String(), values)
}

func attributes(tag string) map[string]string {
	found := make(map[string]string)
	for _, a := range attr.FindAllStringSubmatch(tag, -1) {
		found[a[1]] = html.UnescapeString(a[2])
	}
	return found
}

func (b *Browser) do(ctx context.Context, method, target string, form url.Values) (*Page, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, bodyOf(method, form))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	page := &Page{Status: response.StatusCode, URL: response.Request.URL, Body: string(body)}
	if location, err := response.Location(); err == nil {
		page.Location = location
	}
	return page, nil
}

func bodyOf(method string, form url.Values) io.Reader {
	if method == http.MethodGet {
		return http.NoBody
	}
	return strings.NewReader(form.Encode())
}
