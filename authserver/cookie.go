package authserver

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// cookieKeys are derived from Config.RefreshKeys, so that a browser stays signed in at every process.
type cookieKeys struct {
	seal []cipher.AEAD
	csrf []byte
}

func newCookieKeys(keys [][]byte) (cookieKeys, error) {
	var c cookieKeys
	for i, k := range keys {
		seal, err := hkdf.Key(sha256.New, k, nil, "bearergate login cookie v1", 32)
		if err != nil {
			return c, fmt.Errorf("authserver: cookie key: %w", err)
		}
		block, err := aes.NewCipher(seal)
		if err != nil {
			return c, fmt.Errorf("authserver: cookie key: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return c, fmt.Errorf("authserver: cookie key: %w", err)
		}
		c.seal = append(c.seal, aead)
		if i == 0 {
			if c.csrf, err = hkdf.Key(sha256.New, k, nil, "bearergate csrf v1", 32); err != nil {
				return c, fmt.Errorf("authserver: cookie key: %w", err)
			}
		}
	}
	return c, nil
}

// loginCookie is the content of the login cookie, which is encrypted. The server keeps no row for it.
type loginCookie struct {
	Subject  string    `json:"sub"`
	ID       string    `json:"sid"`
	AuthTime time.Time `json:"auth_time"`
	Expires  time.Time `json:"exp"`
}

// cookieName returns a name with the prefix that makes browsers insist on Secure, where that is possible.
func (s *Server) cookieName(name string) string {
	switch {
	case s.secure && s.base == "":
		return "__Host-bearergate-" + name
	case s.secure:
		return "__Secure-bearergate-" + name
	default:
		return "bearergate-" + name
	}
}

// setCookie writes a cookie that scripts can't read and that forms of other sites don't send. It is Lax, not Strict: a
// client's redirect to the authorization endpoint comes from another site and must find the user signed in.
func (s *Server) setCookie(w http.ResponseWriter, name, value string, maxAge int) {
	path := s.base
	if path == "" {
		path = "/"
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure is off only for an http issuer, where it would lose the cookie
		Name: s.cookieName(name), Value: value, Path: path, MaxAge: maxAge, Secure: s.secure,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// startBrowserLogin signs the browser in.
func (s *Server) startBrowserLogin(w http.ResponseWriter, subject string) error {
	now := s.now()
	plain, err := json.Marshal(loginCookie{Subject: subject, ID: rand.Text(), AuthTime: now,
		Expires: now.Add(s.cfg.LoginLifetime)})
	if err != nil {
		return fmt.Errorf("authserver: login cookie: %w", err)
	}
	sealed := s.cookies.seal[0].Seal(nil, nil, plain, []byte(s.cfg.Issuer)) //nolint:gosec // the AEAD makes its own nonce
	s.setCookie(w, "session", base64.RawURLEncoding.EncodeToString(sealed), int(s.cfg.LoginLifetime/time.Second))
	return nil
}

// browserLogin returns who is signed in at this browser, or nil.
func (s *Server) browserLogin(r *http.Request) *loginCookie {
	cookie, err := r.Cookie(s.cookieName("session"))
	if err != nil {
		return nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return nil
	}
	for _, aead := range s.cookies.seal {
		plain, err := aead.Open(nil, nil, sealed, []byte(s.cfg.Issuer))
		if err != nil {
			continue
		}
		var in loginCookie
		if json.Unmarshal(plain, &in) != nil || !s.now().Before(in.Expires) || in.Subject == "" {
			return nil
		}
		return &in
	}
	return nil
}

func (s *Server) endBrowserLogin(w http.ResponseWriter) { s.setCookie(w, "session", "", -1) }

// csrfToken returns a token that binds a form to this browser and to what the form is about. It sets the cookie if
// there is none. Together with [http.CrossOriginProtection] it is a second line: that lets requests pass that carry
// neither Origin nor Sec-Fetch-Site, as older browsers send them, and it does not know which request a form was made
// for.
func (s *Server) csrfToken(w http.ResponseWriter, r *http.Request, about string) string {
	cookie, err := r.Cookie(s.cookieName("csrf"))
	value := ""
	if err == nil && len(cookie.Value) == 26 {
		value = cookie.Value
	} else {
		value = rand.Text()
		s.setCookie(w, "csrf", value, 0)
	}
	return s.csrfSum(value, about)
}

func (s *Server) csrfSum(cookie, about string) string {
	m := hmac.New(sha256.New, s.cookies.csrf)
	m.Write([]byte(strconv.Itoa(len(cookie)) + ":" + cookie + about))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// checkCSRF reports whether a form was made for this browser.
func (s *Server) checkCSRF(r *http.Request, token, about string) bool {
	cookie, err := r.Cookie(s.cookieName("csrf"))
	return err == nil && cookie.Value != "" && hmac.Equal([]byte(token), []byte(s.csrfSum(cookie.Value, about)))
}
