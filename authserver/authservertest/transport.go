package authservertest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"

	"github.com/bearergate/bearergate/internal/weburl"
)

// ServeHTTP answers a request, unless the answer is to be lost.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec, lost := s.serve(r)
	if lost {
		panic(http.ErrAbortHandler) // net/http closes the connection
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (s *Server) serve(r *http.Request) (rec *httptest.ResponseRecorder, lost bool) {
	spent := new(atomic.Bool)
	rec = httptest.NewRecorder()
	s.Server.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), spentKey{}, spent)))
	return rec, spent.Load() && s.dropNow()
}

// HTTPClient returns a client that reaches the server in process, for x/oauth2, authclient or a program under test.
// Requests for other hosts go out if the host is loopback, and fail otherwise.
func (s *Server) HTTPClient() *http.Client { return &http.Client{Transport: transport{s}} }

type transport struct{ *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	home, err := url.Parse(t.issuer)
	if err != nil {
		return nil, err
	}
	if r.URL.Host != home.Host {
		if !weburl.IsLoopback(r.URL.Hostname()) {
			closeBody(r)
			return nil, fmt.Errorf("authservertest: %s is neither the issuer nor on loopback", r.URL.Host)
		}
		return http.DefaultTransport.RoundTrip(r)
	}
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	rec, lost := t.serve(in)
	closeBody(r)
	if lost {
		return nil, io.ErrUnexpectedEOF
	}
	res := rec.Result()
	res.Request = r
	return res, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}
