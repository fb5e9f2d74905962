package authtest

import (
	"crypto/ecdsa"
	"encoding/asn1"
	"math/big"
	"strings"

	"github.com/bearergate/bearergate/middleware"
)

// signatures adds tokens whose signature is not that of their header and payload.
func (b *badTokens) signatures() {
	const reason = middleware.ReasonInvalidSignature
	input, signature := cutLast(b.valid)
	raw := unb64(signature)
	b.addToken("signature cut short", input+"."+b64(raw[:len(raw)-1]), reason)
	b.addToken("signature with a byte more", input+"."+b64(append(raw[:len(raw):len(raw)], 0)), reason)
	changed := append([]byte(nil), raw...)
	changed[len(raw)/2] ^= 1
	b.addToken("signature with one bit changed", input+"."+b64(changed), reason)
	b.addToken("signature of zeros", input+"."+b64(make([]byte, len(raw))), reason)
	b.addToken("signature of one byte", input+".AA", reason)
	other := b.iss.sign(b.iss.draft(Subject("bob")), b.key)
	_, otherSignature := cutLast(other)
	b.addToken("signature of another token", input+"."+otherSignature, reason)
	head, _ := cutFirst(b.valid)
	b.addToken("payload changed after signing", head+"."+b64([]byte(b.payload(`,"role":"admin"`)))+"."+signature, reason)
	_, rest := cutFirst(b.valid)
	b.addToken("header changed after signing", b64([]byte(b.header(`,"x":1`)))+"."+rest, reason)
	if _, ok := b.key.private.Public().(*ecdsa.PublicKey); ok {
		half := len(raw) / 2
		r, s := new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		b.iss.must(err)
		b.addToken("ECDSA signature in DER", input+"."+b64(der), reason)
	}
}

// headers adds tokens whose header is malformed, or asks for something that is not supported.
func (b *badTokens) headers() {
	const critical, malformed = middleware.ReasonCritical, middleware.ReasonMalformedHeader
	b.addSigned("crit with an extension that nobody knows", critical, Header("crit", []string{"exp2"}), Header("exp2", 1))
	b.addSigned("crit empty", critical, Header("crit", []string{}))
	b.addSigned("b64 false with crit: an unencoded payload", critical, Header("crit", []string{"b64"}), Header("b64", false))
	b.addSigned("b64 false without crit", critical, Header("b64", false))
	for _, typ := range []string{"dpop+jwt", "logout+jwt", "secevent+jwt", "JWE", "at+jwt2"} {
		b.addSigned("typ "+typ+": not an access token", middleware.ReasonType, Header("typ", typ))
	}
	b.addSigned("typ is a number", malformed, Header("typ", 1))
	b.addText("alg twice", `{"alg":"none",`+b.header("")[1:], "", malformed)
	b.addText("alg twice, once escaped", `{"\u0061lg":"none",`+b.header("")[1:], "", malformed)
	b.addText("kid twice", b.header(`,"kid":"`+b.key.id+`"`), "", malformed)
	b.addText("ALG beside alg", b.header(`,"ALG":"none"`), "", malformed)
	b.addText("header with something behind", b.header("")+"{}", "", malformed)
	b.addText("header is an array", "["+b.header("")+"]", "", malformed)
	b.addText("header is empty", "{}", "", malformed)
	b.addText("header is not JSON", "alg: ES256", "", malformed)
}

// forms adds texts that are not exactly one compact JWS.
func (b *badTokens) forms() {
	const reason = middleware.ReasonMalformed
	input, signature := cutLast(b.valid)
	head, rest := cutFirst(b.valid)
	body, _ := cutLast(rest)
	b.addToken("empty signature", input+".", reason)
	b.addToken("no signature", input, reason)
	b.addToken("no payload (detached)", head+".."+signature, reason)
	b.addToken("no header", "."+rest, reason)
	b.addToken("four segments", b.valid+"."+signature, reason)
	b.addToken("five segments: encrypted (JWE)", head+".AAAA.AAAA."+body+"."+signature, reason)
	b.addToken("nothing but dots", "..", reason)
	b.addToken("one word without dots", "opaque", reason)
	b.addToken("padding behind the signature", b.valid+"=", reason)
	b.addToken("padding behind the payload", head+"."+body+"==."+signature, reason)
	b.addToken("a line break in the signature", input+"."+signature[:10]+"\n"+signature[10:], reason)
	b.addToken("a line break behind the token", b.valid+"\r\n", reason)
	b.addToken("a space in front of the signature", input+". "+signature, reason)
	b.addToken("a zero byte behind the token", b.valid+"\x00", reason)
	b.addToken("a letter outside ASCII in the signature", input+"."+signature[:10]+"é"+signature[10:], reason)
	if last, stray := strayBits(signature); stray {
		b.addToken("stray bits behind the signature (not canonical base64)",
			input+"."+signature[:len(signature)-1]+last, reason)
	}
	// The base64 of "???" and ">>>" has / and +, which base64url does not have.
	text := b.payload(`,"note":"???>>>???>>>"`)
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(b64([]byte(b.header(""))) + "." + b64([]byte(text)))
	b.addToken("the alphabet of plain base64, not of base64url", b.iss.seal(plain, b.key), reason)
	b.addText("a token of more than 20 KiB", "", b.payload(`,"pad":"`+strings.Repeat("x", 20<<10)+`"`), middleware.ReasonTooLarge)
}

// strayBits returns another last character for a segment that decodes to the same bytes, if there is one.
func strayBits(segment string) (last string, ok bool) {
	if len(segment)%4 == 0 {
		return "", false
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	n := strings.IndexByte(alphabet, segment[len(segment)-1])
	return alphabet[n^1 : n^1+1], true
}

func cutFirst(s string) (before, after string) {
	before, after, _ = strings.Cut(s, ".")
	return before, after
}

func cutLast(s string) (before, after string) {
	n := strings.LastIndexByte(s, '.')
	return s[:n], s[n+1:]
}
