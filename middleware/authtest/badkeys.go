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

// algorithms: the header says how to verify, and lies.
func (b *badTokens) algorithms() {
	const reason = middleware.ReasonAlgorithm
	_, rest, _ := strings.Cut(b.good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	none := func(alg string) string { return b64([]byte(`{"alg":"`+alg+`","typ":"at+jwt"}`)) + "." + payload + "." }
	b.add("alg none without a signature", none("none"), middleware.ReasonMalformed)
	b.add("alg none with another token's signature", none("none")+signature, reason)
	b.add("alg NonE with another token's signature", none("NonE")+signature, reason)
	b.add("alg empty", none("")+signature, middleware.ReasonMalformedHeader)

	public, err := x509.MarshalPKIXPublicKey(b.key.private.Public())
	b.iss.must(err)
	document, err := json.Marshal(b.key.jwk())
	b.iss.must(err)
	for _, row := range []struct {
		name   string
		secret []byte
	}{
		{"HS256 with the public key in PEM as the secret", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})},
		{"HS256 with the public key in DER as the secret", public},
		{"HS256 with the public JWK as the secret", document},
		{"HS256 with an empty secret", nil},
	} {
		input := b64([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"`+b.key.id+`"}`)) + "." + payload
		mac := hmac.New(sha256.New, row.secret)
		mac.Write([]byte(input))
		b.add(row.name, input+"."+b64(mac.Sum(nil)), reason)
	}
	b.mods("alg in lower case", reason, Header("alg", strings.ToLower(b.key.alg)))
	b.mods("alg with a space behind", reason, Header("alg", b.key.alg+" "))
	b.mods("alg that nobody knows", reason, Header("alg", "XS256"))
	b.mods("alg is an array", middleware.ReasonMalformedHeader, Header("alg", []string{b.key.alg}))
	b.mods("alg is null", middleware.ReasonMalformedHeader, Header("alg", json.RawMessage("null")))
	b.texts("no alg", `{"typ":"at+jwt","kid":"`+b.key.id+`"}`, "", middleware.ReasonMalformedHeader)
	other := "RS384"
	if b.key.alg == other {
		other = "ES384"
	}
	b.mods("a good algorithm that is not allowed here", reason, Header("alg", other))
}

// keys: the key is not the issuer's, or not one for this.
func (b *badTokens) keys() {
	const forged = middleware.ReasonInvalidSignature
	mallory, err := newKey("ES256", b.key.id, 0)
	b.iss.must(err)
	es256 := b.iss.key("ES256") // the key whose kid is claimed must fit the algorithm
	mallory.id = es256.id
	b.forged("another's key under the kid of the issuer's", forged, mallory)
	b.forged("the forger's key in the header (jwk)", forged, mallory, Header("jwk", mallory.jwk()))
	b.forged("the forger's key set in the header (jku)", forged, mallory, Header("jku", "https://mallory.test/jwks.json"))
	b.forged("the forger's certificate in the header (x5c)", forged, mallory, Header("x5c", []string{"MIIB"}))
	b.forged("the forger's certificate's address in the header (x5u)", forged, mallory, Header("x5u", "https://mallory.test/c.pem"))
	stranger := *mallory
	stranger.id = "mallory"
	b.forged("a key that the issuer does not have", middleware.ReasonUnknownKey, &stranger, Header("jwk", stranger.jwk()))
	b.forged("another's key and no kid", forged, mallory, Header("kid", nil))

	b.mods("kid is a path", middleware.ReasonUnknownKey, Header("kid", "../../../../dev/null"))
	b.mods("kid is a piece of SQL", middleware.ReasonUnknownKey, Header("kid", "x' UNION SELECT 'secret' --"))
	b.mods("kid is an address", middleware.ReasonUnknownKey, Header("kid", "https://mallory.test/key.pem"))
	b.mods("kid is a zero byte", middleware.ReasonUnknownKey, Header("kid", "\x00"))
	b.mods("kid of 300 characters", middleware.ReasonMalformedKeyID, Header("kid", strings.Repeat("k", 300)))
	b.mods("kid is a number", middleware.ReasonMalformedKeyID, Header("kid", 1))
	b.mods("kid is an object", middleware.ReasonMalformedKeyID, Header("kid", map[string]any{"$ne": ""}))

	b.weakKeys()
}

// weakKeys: the issuer has keys that it should not have, or signs with them as it should not.
func (b *badTokens) weakKeys() {
	weak, wide := b.iss.weakKeys()
	b.forged("signed with an RSA key of 1024 bits", middleware.ReasonUnknownKey, weak)
	b.forged("ES256 with the kid of a P-384 key", middleware.ReasonUnknownKey, wide, Header("alg", "ES256"))

	rs256 := b.iss.key("RS256")
	other := *rs256
	other.alg = "PS256"
	b.forged("PS256 with a key that is published for RS256", middleware.ReasonUnknownKey, &other)

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
		signature, err := rsa.SignPSS(rand.Reader, ps256.private.(*rsa.PrivateKey), crypto.SHA256, hash[:], &rsa.PSSOptions{SaltLength: row.salt})
		b.iss.must(err)
		b.add("PS256 with a salt of "+row.name, head+"."+body+"."+b64(signature), middleware.ReasonInvalidSignature)
	}
}
