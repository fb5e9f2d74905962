package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// newFloor does what every server must do, and no more: net/http, the form, one look-up, two raw signatures, JSON. It
// is no authorization server: it trusts its client, has one user, and its grants never expire.
func newFloor() (*server, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	f := &floor{key: key, grants: map[[32]byte]string{}}
	return &server{handler: f, path: "/token",
		keySet: func() ([]byte, error) {
			return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "floor", Algorithm: "ES256", Use: "sig"}}})
		},
		grant: func(context.Context) (string, error) { return f.put(subject), nil },
	}, nil
}

type floor struct {
	key    *ecdsa.PrivateKey
	mu     sync.Mutex
	grants map[[32]byte]string // by the hash of the refresh token: whose it is
}

// put returns a refresh token for a grant, new or not.
func (f *floor) put(sub string) string {
	token := rand.Text() + rand.Text()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grants[sha256.Sum256([]byte(token))] = sub
	return token
}

func (f *floor) take(token string) (sub string, ok bool) {
	hash := sha256.Sum256([]byte(token))
	f.mu.Lock()
	defer f.mu.Unlock()
	sub, ok = f.grants[hash]
	delete(f.grants, hash)
	return sub, ok
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "refresh_token" || r.PostForm.Get("client_id") != clientID {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	sub, ok := f.take(r.PostForm.Get("refresh_token"))
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := time.Now().Unix()
	access, err1 := f.sign("at+jwt", fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":%q,"client_id":%q,"scope":"openid offline_access api1","jti":%q,"iat":%d,"exp":%d}`,
		issuer, sub, audience, clientID, rand.Text(), now, now+300))
	id, err2 := f.sign("JWT", fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":%q,"iat":%d,"exp":%d}`, issuer, sub, clientID, now, now+300))
	if err1 != nil || err2 != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":300,"refresh_token":%q,"id_token":%q}`, access, f.put(sub), id)
}

func (f *floor) sign(typ string, claims []byte) (string, error) {
	text := base64.RawURLEncoding.AppendEncode(nil, []byte(`{"alg":"ES256","kid":"floor","typ":"`+typ+`"}`))
	text = base64.RawURLEncoding.AppendEncode(append(text, '.'), claims)
	hash := sha256.Sum256(text)
	der, err := ecdsa.SignASN1(rand.Reader, f.key, hash[:])
	if err != nil {
		return "", err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return "", err
	}
	var raw [64]byte
	sig.R.FillBytes(raw[:32])
	sig.S.FillBytes(raw[32:])
	return string(base64.RawURLEncoding.AppendEncode(append(text, '.'), raw[:])), nil
}
