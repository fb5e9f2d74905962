package jwks_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/jwks"
)

// An issuer's keys are found by discovery when the first token arrives.
func ExampleNewRemote() {
	keys, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: "https://issuer.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.Close()
	fmt.Println("fetched:", !keys.Status().FetchedAt.IsZero())
	// Output: fetched: false
}

// The error names everything that is wrong with a configuration.
func ExampleNewRemote_incorrect() {
	_, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: "http://issuer.example", MinAge: 2 * time.Hour})
	fmt.Println(err)
	// Output:
	// jwks: Issuer "http://issuer.example": http on a host that is not loopback: use https, or set AllowInsecureHTTP
	// jwks: MinAge 2h0m0s is more than MaxAge 1h0m0s
}

// A Rotator signs tokens and serves the keys that verify them.
func ExampleNewRotator() {
	rotator, err := jwks.NewRotator(jwks.RotatorConfig{TokenLifetime: 10 * time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	issuer := httptest.NewServer(rotator)
	defer issuer.Close()

	token, err := rotator.Sign(context.Background(), "at+jwt", jwt.RegisteredClaims{Subject: "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := jwks.NewRemote(jwks.RemoteConfig{URL: issuer.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.Close()
	parsed, err := jwt.Parse(token, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		found, err := keys.Lookup(context.Background(), kid, t.Method.Alg())
		if err != nil {
			return nil, err
		}
		return found[0].Public(), nil
	}, jwt.WithValidMethods([]string{"ES256"}))
	fmt.Println(parsed.Header["typ"], parsed.Claims, err)
	// Output: at+jwt map[sub:alice] <nil>
}

// In a file, the keys survive a restart, and the processes of one machine share them.
func ExampleFileKeyStore() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	rotator, err := jwks.NewRotator(jwks.RotatorConfig{Store: jwks.FileKeyStore(filepath.Join(dir, "signing-keys.json"))})
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("GET /keys", rotator)
	fmt.Println(rotator.Ready(context.Background()))
	// Output: <nil>
}

// Without the seal key, the file and its backups are of no use.
func ExampleSealedKeyStore() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	key := make([]byte, 32) // from a secret of your platform: openssl rand -base64 32
	rand.Read(key)
	store, err := jwks.NewSealedKeyStore(jwks.FileKeyStore(filepath.Join(dir, "signing-keys.sealed")), key)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := store.Reseal(context.Background()); err != nil { // at every start: the key may be another one now
		fmt.Println(err)
		return
	}
	rotator, err := jwks.NewRotator(jwks.RotatorConfig{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("GET /sealed/keys", rotator)
	fmt.Println(rotator.Ready(context.Background()))
	// Output: <nil>
}

// Keys in clear are sealed once: read them through the store and save them through the SealedKeyStore.
func ExampleSealedKeyStore_fromClear() {
	ctx := context.Background()
	var store jwks.KeyStore = new(jwks.MemoryKeyStore) // yours, with keys in it
	if err := store.SaveKeys(ctx, []byte("keys in clear"), ""); err != nil {
		fmt.Println(err)
		return
	}
	key := make([]byte, 32)
	rand.Read(key)
	sealed, err := jwks.NewSealedKeyStore(store, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _, err = sealed.LoadKeys(ctx)
	fmt.Println(errors.Is(err, jwks.ErrSealed))

	state, version, err := store.LoadKeys(ctx)
	if err == nil {
		err = sealed.SaveKeys(ctx, state, version)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	state, _, err = sealed.LoadKeys(ctx)
	fmt.Println(string(state), err)
	// Output:
	// true
	// keys in clear <nil>
}

// A key set that comes from a file or from elsewhere.
func ExampleParse() {
	keys, err := jwks.Parse([]byte(`{"keys": [
		{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
		{"kty": "AKP", "alg": "ML-DSA-44", "kid": "b", "pub": "…"}
	]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, k := range keys.Keys() {
		fmt.Println("key", k.ID())
	}
	for _, s := range keys.Skipped() {
		fmt.Println("skipped", s.ID, s.Reason)
	}
	// Output:
	// key a
	// skipped b unsupported kty "AKP"
}

func ExampleNewSet() {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := jwks.NewKey("my-key", "EdDSA", public)
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := jwks.NewSet(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := set.Lookup(context.Background(), "my-key", "EdDSA")
	fmt.Println(found[0].ID(), err)
	_, err = set.Lookup(context.Background(), "my-key", "ES256")
	fmt.Println(err)
	// Output:
	// my-key <nil>
	// jwks: key not found: key "my-key" does not fit alg "ES256"
}

// The key of RFC 8037, Appendix A.2.
func ExampleThumbprint() {
	keys, err := jwks.Parse([]byte(`{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(jwks.Thumbprint(keys.Keys()[0].Public()))
	// Output: kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k <nil>
}

// golang-jwt's parser with the keys of an issuer that publishes them.
func ExampleKeyfunc() {
	rotator, err := jwks.NewRotator(jwks.RotatorConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := rotator.Sign(context.Background(), "at+jwt", jwt.MapClaims{"sub": "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}))
	parsed, err := parser.Parse(token, jwks.Keyfunc(rotator))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(parsed.Claims.GetSubject())
	// Output: alice <nil>
}

// A keyfunc that runs already becomes the KeySource of an issuer.
func ExampleFromKeyfunc() {
	kf, err := keyfunc.NewJWKSetJSON([]byte(`{"keys": [
		{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
	]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	source := jwks.FromKeyfunc(kf)
	keys, err := source.Lookup(context.Background(), "a", "EdDSA")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(keys[0].ID(), keys[0].Fits("Ed25519"), keys[0].Fits("ES256"))
	_, err = source.Lookup(context.Background(), "b", "EdDSA")
	fmt.Println(err)
	// Output:
	// a true false
	// jwks: key not found: kid "b"
}
