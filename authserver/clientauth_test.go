package authserver_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

func basicHeader(userpass string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userpass))
}

func TestClientAuthentication(t *testing.T) {
	for _, row := range []struct {
		name   string
		header string
		pairs  []string
		want   string // "invalid_grant": the client was let in, the refresh token was not
	}{
		{"Basic, form-urlencoded with +", basicHeader("mvc+client:mvc+secret"), nil, "invalid_grant"},
		{"Basic, form-urlencoded with %20", basicHeader("mvc%20client:mvc%20secret"), nil, "invalid_grant"},
		{"Basic, spaces as they are", basicHeader("mvc client:mvc secret"), nil, "invalid_grant"},
		{"basic in lower case", "basic " + basicHeader("mvc+client:mvc+secret")[6:], nil, "invalid_grant"},
		{"Basic and the same client_id", basicHeader("mvc+client:mvc+secret"), []string{"client_id", mvcID}, "invalid_grant"},
		{"Basic and another client_id", basicHeader("mvc+client:mvc+secret"), []string{"client_id", "spa"}, "invalid_request"},
		{"Basic with a wrong secret", basicHeader("mvc+client:wrong"), nil, "invalid_client"},
		{"Basic with an unknown client", basicHeader("nobody:wrong"), nil, "invalid_client"},
		{"Basic without secret for a confidential client", basicHeader("mvc+client:"), nil, "invalid_client"},
		{"Basic without secret for a public client", basicHeader("spa:"), nil, "invalid_grant"},
		{"Basic with a secret for a public client", basicHeader("spa:guess"), nil, "invalid_client"},
		{"Basic without colon", basicHeader("mvc+client"), nil, "invalid_client"},
		{"Basic without name", basicHeader(":mvc+secret"), nil, "invalid_client"},
		{"Basic with a bad escape", basicHeader("mvc%zzclient:x"), nil, "invalid_client"},
		{"Basic that is not base64", "Basic ???", nil, "invalid_client"},
		{"Basic alone", "Basic", nil, "invalid_client"},
		{"another scheme", "Bearer abc", nil, "invalid_client"},
		{"an empty header", " ", nil, "invalid_client"},
		{"post", "", []string{"client_id", mvcID, "client_secret", mvcKey}, "invalid_grant"},
		{"post with a wrong secret", "", []string{"client_id", mvcID, "client_secret", "x"}, "invalid_client"},
		{"post without name", "", []string{"client_secret", mvcKey}, "invalid_client"},
		{"post with a secret for a public client", "", []string{"client_id", "spa", "client_secret", "guess"}, "invalid_client"},
		{"none", "", []string{"client_id", "spa"}, "invalid_grant"},
		{"none for a confidential client", "", []string{"client_id", mvcID}, "invalid_client"},
		{"nothing", "", nil, "invalid_client"},
		{"Basic and post", basicHeader("mvc+client:mvc+secret"), []string{"client_id", mvcID, "client_secret", mvcKey}, "invalid_request"},
		{"Basic and an assertion", basicHeader("mvc+client:mvc+secret"), []string{"client_assertion", "x"}, "invalid_request"},
		{"post and an assertion", "", []string{"client_id", mvcID, "client_secret", mvcKey, "client_assertion", "x"}, "invalid_request"},
		{"an assertion of another type", "", []string{"client_assertion", "x", "client_assertion_type", "saml"}, "invalid_request"},
		{"an assertion without type", "", []string{"client_assertion", "x"}, "invalid_request"},
		{"an assertion that is no JWT", "", []string{"client_assertion", "x", "client_assertion_type",
			"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "invalid_client"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			r := formRequest("/token", append([]string{"grant_type", "refresh_token", "refresh_token", "x"}, row.pairs...)...)
			if row.header != "" {
				r.Header.Set("Authorization", row.header)
			}
			w.refused(w.do(r), row.want)
		})
	}
}

func TestTwoAuthorizationHeaders(t *testing.T) {
	w := newWorld(t)
	r := formRequest("/token", "grant_type", "client_credentials")
	r.Header.Add("Authorization", basicHeader("worker:worker+secret"))
	r.Header.Add("Authorization", basicHeader("worker:worker+secret"))
	w.refused(w.do(r), "invalid_request")
}

func TestSecretsRotateAndExpire(t *testing.T) {
	w := newWorld(t, func(w *world) {
		old := authserver.HashSecret("old secret")
		old.ExpiresAt = w.clock.Add(time.Hour)
		w.client("worker").Secrets = append(w.client("worker").Secrets, old)
	})
	try := func(secret string) int {
		return w.do(as(formRequest("/token", "grant_type", "client_credentials"), "worker", secret)).status
	}
	assert.Equal(t, http.StatusOK, try("worker secret"))
	assert.Equal(t, http.StatusOK, try("old secret"))
	w.advance(time.Hour)
	assert.Equal(t, http.StatusUnauthorized, try("old secret"))
	assert.Equal(t, http.StatusOK, try("worker secret"))
	assert.NotContains(t, authserver.HashSecret("worker secret").Hash, "worker")
}

func TestPrivateKeyJWT(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	point, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	set, err := json.Marshal(map[string]any{"keys": []any{
		map[string]any{"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256", "x": b64(point[1:33]), "y": b64(point[33:])},
		map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "new name", "use": "sig", "alg": "Ed25519", "x": b64(edPublic)},
		map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "old name", "use": "sig", "alg": "EdDSA", "x": b64(edPublic)},
	}})
	require.NoError(t, err)

	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "robot", "sub": "robot", "aud": issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	}
	sign := func(c jwt.MapClaims, k *ecdsa.PrivateKey) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodES256, c)
		tok.Header["kid"] = "k1"
		s, err := tok.SignedString(k)
		require.NoError(t, err)
		return s
	}
	with := func(name string, value any) string {
		c := good()
		c[name] = value
		if value == nil {
			delete(c, name)
		}
		return sign(c, key)
	}
	// ed signs with the OKP key and writes the algorithm and the kid into the header.
	ed := func(alg, kid string) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodEdDSA, good())
		tok.Header["alg"], tok.Header["kid"] = alg, kid
		s, err := tok.SignedString(edKey)
		require.NoError(t, err)
		return s
	}
	// text signs a header and claims as they are written.
	text := func(header, payload string) string {
		input := b64([]byte(header)) + "." + b64([]byte(payload))
		signature, err := jwt.SigningMethodES256.Sign(input, key)
		require.NoError(t, err)
		return input + "." + b64(signature)
	}
	const header = `{"alg":"ES256","kid":"k1"}`
	// claimsText returns good claims, with one member replaced or with more text at the end.
	claimsText := func(name, value, more string) string {
		members := map[string]string{"iss": `"robot"`, "sub": `"robot"`, "aud": `"` + issuer + `"`, "jti": `"` + rand.Text() + `"`,
			"exp": strconv.FormatInt(now.Add(time.Minute).Unix(), 10)}
		members[name] = value
		var all []string
		for k, v := range members {
			if k != "" {
				all = append(all, `"`+k+`":`+v)
			}
		}
		return "{" + strings.Join(all, ",") + more + "}"
	}
	hmac, err := jwt.NewWithClaims(jwt.SigningMethodHS256, good()).SignedString(set)
	require.NoError(t, err)
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, good()).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)

	w := newWorld(t, func(w *world) {
		w.cfg.Clients = append(w.cfg.Clients, authserver.Client{ID: "robot", JWKS: set, GrantTypes: []string{"client_credentials"}, Scopes: []string{"api1"}})
	})
	send := func(assertion string, pairs ...string) reply {
		return w.form("/token", append(pairs, "grant_type", "client_credentials", "client_assertion", assertion,
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")...)
	}
	for _, row := range []struct {
		name, assertion string
		status          int
	}{
		{"good", sign(good(), key), 200},
		{"aud is the token endpoint", with("aud", issuer+"/token"), 200},
		{"aud is a list", with("aud", []string{"x", issuer}), 200},
		{"EdDSA", ed("EdDSA", "old name"), 200},
		{"Ed25519, as RFC 9864 calls it", ed("Ed25519", "new name"), 200},
		{"EdDSA with a key for Ed25519", ed("EdDSA", "new name"), 200},
		{"Ed25519 with a key for EdDSA", ed("Ed25519", "old name"), 200},
		{"Ed25519 with a key of another kind", ed("Ed25519", "k1"), 401},
		{"Ed25519 with claims of another assertion", spliced(ed("Ed25519", "new name"), ed("Ed25519", "new name")), 401},
		{"an algorithm that nobody knows", ed("Ed448", "new name"), 401},
		{"no algorithm", ed("", "new name"), 401},
		{"signed by another key", sign(good(), other), 401},
		{"symmetric", hmac, 401},
		{"unsigned", unsigned, 401},
		{"aud is another server", with("aud", "https://other.example"), 401},
		{"no aud", with("aud", nil), 401},
		{"iss is another client", with("iss", "worker"), 401},
		{"sub is a client without keys", with("sub", "worker"), 401},
		{"sub is unknown", with("sub", "nobody"), 401},
		{"expired", with("exp", now.Add(-31*time.Second).Unix()), 401},
		{"no exp", with("exp", nil), 401},
		{"exp is far away", with("exp", now.Add(time.Hour).Unix()), 401},
		{"not yet valid", with("nbf", now.Add(time.Minute).Unix()), 401},
		{"no jti", with("jti", nil), 401},

		{"written by hand", text(header, claimsText("", "", "")), 200},
		{"exp with a fraction", text(header, claimsText("exp", strconv.FormatInt(now.Add(time.Minute).Unix(), 10)+".5", "")), 200},
		{"unknown members", text(`{"alg":"ES256","kid":"k1","typ":"x","jwk":{}}`, claimsText("x", `{"a":[1,null]}`, "")), 200},
		{"duplicate iss", text(header, claimsText("", "", `,"iss":"robot"`)), 401},
		{"Sub beside sub", text(header, claimsText("", "", `,"Sub":"zz"`)), 401},
		{"an expired EXP beside exp", text(header, claimsText("", "", `,"EXP":1`)), 401},
		{"the Kelvin sign: not a registered name", text(header, claimsText("", "", `,"\u212aid":1`)), 200},
		{"twice an unknown member", text(header, claimsText("x", "1", `,"x":1`)), 401},
		{"duplicate nested member", text(header, claimsText("x", `{"a":1,"a":1}`, "")), 401},
		{"duplicate alg", text(`{"alg":"ES256","kid":"k1","alg":"ES256"}`, claimsText("", "", "")), 401},
		{"crit", text(`{"alg":"ES256","kid":"k1","crit":["exp"],"exp":1}`, claimsText("", "", "")), 401},
		{"b64", text(`{"alg":"ES256","kid":"k1","b64":true}`, claimsText("", "", "")), 401},
		{"kid is a number", text(`{"alg":"ES256","kid":1}`, claimsText("", "", "")), 401},
		{"iss is a number", text(header, claimsText("iss", "1", "")), 401},
		{"iss is a list", text(header, claimsText("iss", `["robot"]`, "")), 401},
		{"sub is null", text(header, claimsText("sub", "null", "")), 401},
		{"aud is a number", text(header, claimsText("aud", "1", "")), 401},
		{"aud is a list with a number", text(header, claimsText("aud", `["`+issuer+`",1]`, "")), 401},
		{"aud is an object", text(header, claimsText("aud", `{"`+issuer+`":1}`, "")), 401},
		{"jti is a number", text(header, claimsText("jti", "1", "")), 401},
		{"exp is a string", text(header, claimsText("exp", `"9999999999"`, "")), 401},
		{"nbf is null", text(header, claimsText("nbf", "null", "")), 401},
		{"iat is a string", text(header, claimsText("iat", `"1"`, "")), 401},
		{"the claims are a list", text(header, `[]`), 401},
		{"text after the claims", text(header, claimsText("", "", "")+" {}"), 401},
		{"claims that are not UTF-8", text(header, claimsText("x", "\"\xff\"", "")), 401},
		{"padded", text(header, claimsText("", "", "")) + "==", 401},
		{"a line break", text(header, claimsText("", "", "")) + "\n", 401},
		{"four segments", text(header, claimsText("", "", "")) + ".", 401},
		{"the last bits of the signature", otherLastBits(text(header, claimsText("", "", ""))), 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := send(row.assertion)
			assert.Equal(t, row.status, r.status, r.body)
		})
	}
	t.Run("works once", func(t *testing.T) {
		assertion := sign(good(), key)
		assert.Equal(t, 200, send(assertion).status)
		assert.Equal(t, 401, send(assertion).status)
		w.advance(time.Minute)
		assert.Equal(t, 401, send(assertion).status, "inside of the leeway")
	})
	t.Run("client_id must be the same", func(t *testing.T) {
		c := good()
		c["exp"] = now.Add(3 * time.Minute).Unix()
		assert.Equal(t, 200, send(sign(c, key), "client_id", "robot").status)
		assert.Equal(t, 400, send(sign(c, key), "client_id", "worker").status)
	})
}

// otherLastBits changes those bits of the last letter that belong to no byte. A lax decoder ignores them.
func otherLastBits(token string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, token[len(token)-1])
	return token[:len(token)-1] + letters[last^1:][:1]
}
