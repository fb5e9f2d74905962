package jwks

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"

	"github.com/bearergate/bearergate/internal/weburl"
)

// privateMembers are the members that hold a secret: those of RFC 7518, Sections 6.2.2, 6.3.2 and 6.4, of RFC 8037 and
// of AKP keys. A key whose secret was published is useless: whoever has read the document can sign with it.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// parseJWK reads one key of a document. Its error is the reason why the key is skipped. It returns id also then, if it
// could be read.
//
// The certificate members x5c, x5t, x5t#S256 and x5u are not read: no trust comes from them here, and a broken one is
// no reason to lose a good key. Members are looked up by their exact names; a struct of encoding/json would take "KTY"
// for "kty".
func parseJWK(raw json.RawMessage) (k *Key, id string, err error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, "", errors.New("not a JSON object")
	}
	if id, err = stringMember(m, "kid"); err != nil {
		return nil, "", err
	}
	kty, err := stringMember(m, "kty")
	if err != nil {
		return nil, id, err
	}
	switch kty {
	case "RSA", "EC", "OKP":
	case "":
		return nil, id, errors.New("no kty")
	case "oct":
		return nil, id, errors.New("symmetric key (kty oct)")
	default:
		return nil, id, fmt.Errorf("unsupported kty %q", weburl.Clip(kty, maxText))
	}
	for _, name := range privateMembers {
		if !isEmpty(m[name]) {
			return nil, id, fmt.Errorf("private member %q", name)
		}
	}
	if err := checkUse(m); err != nil {
		return nil, id, err
	}
	alg, err := stringMember(m, "alg")
	if err != nil {
		return nil, id, err
	}
	if alg != "" && !Supported(alg) {
		return nil, id, fmt.Errorf("unsupported alg %q", weburl.Clip(alg, maxText))
	}
	k, err = decodeKey(m, kty, alg, id)
	return k, id, err
}

// decodeKey lets jwkset read the public numbers and checks the result by the rules of NewKey.
func decodeKey(m map[string]json.RawMessage, kty, alg, id string) (*Key, error) {
	marshal := jwkset.JWKMarshal{KTY: jwkset.KTY(kty)}
	crv := ""
	for _, member := range []struct {
		name string
		into *string
	}{{"crv", &crv}, {"n", &marshal.N}, {"e", &marshal.E}, {"x", &marshal.X}, {"y", &marshal.Y}} {
		s, err := stringMember(m, member.name)
		if err != nil {
			return nil, err
		}
		*member.into = s
	}
	switch {
	case kty == "EC" && !slices.Contains([]string{"P-256", "P-384", "P-521"}, crv),
		kty == "OKP" && crv != "Ed25519":
		return nil, fmt.Errorf("unsupported crv %q", weburl.Clip(crv, maxText))
	}
	marshal.CRV = jwkset.CRV(crv)
	jwk, err := jwkset.NewJWKFromMarshal(marshal, jwkset.JWKMarshalOptions{},
		jwkset.JWKValidateOptions{SkipUse: true, SkipKeyOps: true})
	if err != nil {
		return nil, errors.New(decodeReason(marshal.KTY, err))
	}
	return newKey(id, alg, jwk.Key())
}

// checkUse wants "use" to be "sig" and "key_ops" to hold "verify", if they are there (RFC 7517, Sections 4.2 and 4.3).
func checkUse(m map[string]json.RawMessage) error {
	use, err := stringMember(m, "use")
	if err != nil {
		return err
	}
	if use != "" && use != "sig" {
		return fmt.Errorf("use %q, not \"sig\"", weburl.Clip(use, maxText))
	}
	if isEmpty(m["key_ops"]) {
		return nil
	}
	var ops []string
	if err := json.Unmarshal(m["key_ops"], &ops); err != nil {
		return errors.New("key_ops is not an array of strings")
	}
	if !slices.Contains(ops, "verify") {
		return errors.New("key_ops without \"verify\"")
	}
	return nil
}

// stringMember returns the member name of m, "" if it is absent or null.
func stringMember(m map[string]json.RawMessage, name string) (string, error) {
	raw, ok := m[name]
	if !ok || string(raw) == "null" {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("%s is not a string", name)
	}
	return s, nil
}

// isEmpty reports whether a member is absent or says nothing: some serializers write null, "" or [] for what is not
// there.
func isEmpty(raw json.RawMessage) bool {
	switch strings.Join(strings.Fields(string(raw)), "") {
	case "", "null", `""`, "[]":
		return true
	}
	return false
}

// decodeReason says in a few words what jwkset refused, without anything of the key.
func decodeReason(kty jwkset.KTY, err error) string {
	switch {
	case errors.Is(err, jwkset.ErrInvalidKey) && kty == jwkset.KtyEC:
		return "the point is not on the curve"
	case errors.Is(err, jwkset.ErrInvalidKey), errors.Is(err, jwkset.ErrJWKValidation):
		return "a number is out of range"
	case errors.Is(err, jwkset.ErrKeyUnmarshalParameter):
		return "a member is missing or wrong"
	default:
		return "a member is not valid base64url"
	}
}
