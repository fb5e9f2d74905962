package authtest

import (
	"crypto/ecdsa"
	"encoding/asn1"
	"math/big"
	"strings"

	"github.com/bearergate/bearergate/middleware"
)

// signatures: the signature is not that of this token.
func (b *badTokens) signatures() {
	const reason = middleware.ReasonInvalidSignature
	input, signature := cutLast(b.good)
	raw := unb64(signature)
	b.add("signature cut short", input+"."+b64(raw[:len(raw)-1]), reason)
	b.add("signature with a byte more", input+"."+b64(append(raw[:len(raw):len(raw)], 0)), reason)
	changed := append([]byte(nil), raw...)
	changed[len(raw)/2] ^= 1
	b.add("signature with one bit changed", input+"."+b64(changed), reason)
	b.add("signature of zeros", input+"."+b64(make([]byte, len(raw))), reason)
	b.add("signature of one byte", input+".AA", reason)
	other := b.iss.sign(b.iss.draft(Subject("bob")), b.key)
	_, otherSignature := cutLast(other)
	b.add("signature of another token", input+"."+otherSignature, reason)
	head, _ := cutFirst(b.good)
	b.add("payload changed after signing", head+"."+b64([]byte(b.payload(`,"role":"admin"`)))+"."+signature, reason)
	_, rest := cutFirst(b.good)
	b.add("header changed after signing", b64([]byte(b.header(`,"x":1`)))+"."+rest, reason)
	if _, ok := b.key.private.Public().(*ecdsa.PublicKey); ok {
		half := len(raw) / 2
		r, s := new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		b.iss.must(err)
		b.add("ECDSA signature in DER", input+"."+b64(der), reason)
	}
}

// headers: what the header asks for can't be given.
func (b *badTokens) headers() {
	const critical, malformed = middleware.ReasonCritical, middleware.ReasonMalformedHeader
	b.mods("crit with an extension that nobody knows", critical, Header("crit", []string{"exp2"}), Header("exp2", 1))
	b.mods("crit empty", critical, Header("crit", []string{}))
	b.mods("b64 false with crit: an unencoded payload", critical, Header("crit", []string{"b64"}), Header("b64", false))
	b.mods("b64 false without crit", critical, Header("b64", false))
	for _, typ := range []string{"dpop+jwt", "logout+jwt", "secevent+jwt", "JWE", "at+jwt2"} {
		b.mods("typ "+typ+": not an access token", middleware.ReasonType, Header("typ", typ))
	}
	b.mods("typ is a number", malformed, Header("typ", 1))
	b.texts("alg twice", `{"alg":"none",`+b.header("")[1:], "", malformed)
	b.texts("alg twice, once escaped", `{"\u0061lg":"none",`+b.header("")[1:], "", malformed)
	b.texts("kid twice", b.header(`,"kid":"`+b.key.id+`"`), "", malformed)
	b.texts("ALG beside alg", b.header(`,"ALG":"none"`), "", malformed)
	b.texts("header with something behind", b.header("")+"{}", "", malformed)
	b.texts("header is an array", "["+b.header("")+"]", "", malformed)
	b.texts("header is empty", "{}", "", malformed)
	b.texts("header is not JSON", "alg: ES256", "", malformed)
}

// forms: not a compact JWS, or not exactly one.
func (b *badTokens) forms() {
	const reason = middleware.ReasonMalformed
	input, signature := cutLast(b.good)
	head, rest := cutFirst(b.good)
	body, _ := cutLast(rest)
	b.add("empty signature", input+".", reason)
	b.add("no signature", input, reason)
	b.add("no payload (detached)", head+".."+signature, reason)
	b.add("no header", "."+rest, reason)
	b.add("four segments", b.good+"."+signature, reason)
	b.add("five segments: encrypted (JWE)", head+".AAAA.AAAA."+body+"."+signature, reason)
	b.add("nothing but dots", "..", reason)
	b.add("one word without dots", "opaque", reason)
	b.add("padding behind the signature", b.good+"=", reason)
	b.add("padding behind the payload", head+"."+body+"==."+signature, reason)
	b.add("a line break in the signature", input+"."+signature[:10]+"\n"+signature[10:], reason)
	b.add("a line break behind the token", b.good+"\r\n", reason)
	b.add("a space in front of the signature", input+". "+signature, reason)
	b.add("a zero byte behind the token", b.good+"\x00", reason)
	b.add("a letter outside ASCII in the signature", input+"."+signature[:10]+"é"+signature[10:], reason)
	if last, stray := strayBits(signature); stray {
		b.add("stray bits behind the signature (not canonical base64)", input+"."+signature[:len(signature)-1]+last, reason)
	}
	// "???" and ">>>" encode to text with / and +, which base64url does not have.
	text := b.payload(`,"note":"???>>>???>>>"`)
	classic := strings.NewReplacer("-", "+", "_", "/").Replace(b64([]byte(b.header(""))) + "." + b64([]byte(text)))
	b.add("the alphabet of plain base64, not of base64url", b.iss.seal(classic, b.key), reason)
	b.texts("a token of more than 20 KiB", "", b.payload(`,"pad":"`+strings.Repeat("x", 20<<10)+`"`), middleware.ReasonTooLarge)
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
