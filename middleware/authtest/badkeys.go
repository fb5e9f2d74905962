package authtest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"

	"github.com/bearergate/bearergate/middleware"
)

// algorithms adds tokens whose header lies about the algorithm.
func (b *badTokens) algorithms() {
	const reason = middleware.ReasonAlgorithm
	_, rest, _ := strings.Cut(b.valid, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	none := func(alg string) string { return b64([]byte(`{"alg":"`+alg+`","typ":"at+jwt"}`)) + "." + payload + "." }
	b.addToken("alg none without a signature", none("none"), middleware.ReasonMalformed)
	b.addToken("alg none with another token's signature", none("none")+signature, reason)
	b.addToken("alg NonE with another token's signature", none("NonE")+signature, reason)
	b.addToken("alg empty", none("")+signature, middleware.ReasonMalformedHeader)

	public, err := x509.MarshalPKIXPublicKey(b.key.private.Public())
	b.iss.must(err)
	document, err := json.Marshal(b.key.jwk())
	b.iss.must(err)
	for _, row := range []struct {
		name   string
		secret []byte
	}{
		{"HS256 with the public key in PEM as the secret",
			pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})},
		{"HS256 with the public key in DER as the secret", public},
		{"HS256 with the public JWK as the secret", document},
		{"HS256 with an empty secret", nil},
	} {
		input := b64([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"`+b.key.id+`"}`)) + "." + payload
		mac := hmac.New(sha256.New, row.secret)
		mac.Write([]byte(input))
		b.addToken(row.name, input+"."+b64(mac.Sum(nil)), reason)
	}
	b.addSigned("alg in lower case", reason, Header("alg", strings.ToLower(b.key.alg)))
	b.addSigned("alg with a space behind", reason, Header("alg", b.key.alg+" "))
	b.addSigned("alg that nobody knows", reason, Header("alg", "XS256"))
	b.addSigned("alg is an array", middleware.ReasonMalformedHeader, Header("alg", []string{b.key.alg}))
	b.addSigned("alg is null", middleware.ReasonMalformedHeader, Header("alg", json.RawMessage("null")))
	b.addText("no alg", `{"typ":"at+jwt","kid":"`+b.key.id+`"}`, "", middleware.ReasonMalformedHeader)
	other := "RS384"
	if b.key.alg == other {
		other = "ES384"
	}
	b.addSigned("a good algorithm that is not allowed here", reason, Header("alg", other))
}

// keys adds tokens that are signed with a key of somebody else, or name a key that does not exist.
func (b *badTokens) keys() {
	const forged = middleware.ReasonInvalidSignature
	mallory, err := newKey("ES256", b.key.id, 0)
	b.iss.must(err)
	es256 := b.iss.key("ES256") // the key with the claimed kid must fit the algorithm
	mallory.id = es256.id
	b.addForged("another's key under the kid of the issuer's", forged, mallory)
	b.addForged("the forger's key in the header (jwk)", forged, mallory, Header("jwk", mallory.jwk()))
	b.addForged("the forger's key set in the header (jku)", forged, mallory, Header("jku", "https://mallory.test/jwks.json"))
	b.addForged("the forger's certificate in the header (x5c)", forged, mallory, Header("x5c", []string{"MIIB"}))
	b.addForged("the forger's certificate's address in the header (x5u)", forged, mallory,
		Header("x5u", "https://mallory.test/c.pem"))
	stranger := *mallory
	stranger.id = "mallory"
	b.addForged("a key that the issuer does not have", middleware.ReasonUnknownKey, &stranger, Header("jwk", stranger.jwk()))
	b.addForged("another's key and no kid", forged, mallory, Header("kid", nil))

	b.addSigned("kid is a path", middleware.ReasonUnknownKey, Header("kid", "../../../../dev/null"))
	b.addSigned("kid is a piece of SQL", middleware.ReasonUnknownKey, Header("kid", "x' UNION SELECT 'secret' --"))
	b.addSigned("kid is an address", middleware.ReasonUnknownKey, Header("kid", "https://mallory.test/key.pem"))
	b.addSigned("kid is a zero byte", middleware.ReasonUnknownKey, Header("kid", "\x00"))
	b.addSigned("kid of 300 characters", middleware.ReasonMalformedKeyID, Header("kid", strings.Repeat("k", 300)))
	b.addSigned("kid is a number", middleware.ReasonMalformedKeyID, Header("kid", 1))
	b.addSigned("kid is an object", middleware.ReasonMalformedKeyID, Header("kid", map[string]any{"$ne": ""}))

	b.weakKeys()
}

// weakKeys adds tokens with keys that no issuer should publish, or signed in a way that no issuer should use.
func (b *badTokens) weakKeys() {
	weak, p384 := b.iss.weakKeys()
	b.addForged("signed with an RSA key of 1024 bits", middleware.ReasonUnknownKey, weak)
	b.addForged("ES256 with the kid of a P-384 key", middleware.ReasonUnknownKey, p384, Header("alg", "ES256"))

	rs256 := b.iss.key("RS256")
	other := *rs256
	other.alg = "PS256"
	b.addForged("PS256 with a key that is published for RS256", middleware.ReasonUnknownKey, &other)

	ps256 := b.iss.key("PS256")
	for _, row := range []struct {
		name string
		salt int
	}{{"20 bytes", 20}, {"the greatest length", rsa.PSSSaltLengthAuto}} {
		d := b.iss.draft(Header("alg", "PS256"), Header("kid", ps256.id))
		head, err := b64JSON(d.header)
		b.iss.must(err)
		body, err := b64JSON(d.claims)
		b.iss.must(err)
		hash := sha256.Sum256([]byte(head + "." + body))
		signature, err := rsa.SignPSS(rand.Reader, ps256.private.(*rsa.PrivateKey), crypto.SHA256, hash[:],
			&rsa.PSSOptions{SaltLength: row.salt})
		b.iss.must(err)
		b.addToken("PS256 with a salt of "+row.name, head+"."+body+"."+b64(signature), middleware.ReasonInvalidSignature)
	}
}
