package jwks_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// twentyKeys returns 20 keys.
func twentyKeys(t testing.TB) (keys []*jwks.Key) {
	for i := range 20 {
		keys = append(keys, newKey(t, fmt.Sprint("key-number-", i)))
	}
	return keys
}

// BenchmarkLookup looks keys up in a set of 20. The row with keyfunc is there to be compared with.
func BenchmarkLookup(b *testing.B) {
	keys := twentyKeys(b)
	remote := newIssuer(b, keys...).remote(b)
	rotator := newRotator(b, jwks.RotatorConfig{})
	require.NoError(b, remote.Ready(context.Background()))
	ctx := context.Background()

	b.Run("remote", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := remote.Lookup(ctx, "key-number-17", "ES256"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remote, parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := remote.Lookup(ctx, "key-number-17", "ES256"); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("rotator", func(b *testing.B) {
		kid := kidOf(b, sign(b, rotator))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rotator.Lookup(ctx, kid, "ES256"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remote, made-up kid", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := remote.Lookup(ctx, "made up", "ES256"); err == nil {
				b.Fatal("found")
			}
		}
	})
	b.Run("keyfunc over jwkset", func(b *testing.B) {
		store := jwkset.NewMemoryStorage()
		for _, k := range keys {
			jwk, err := jwkset.NewJWKFromKey(k.Public().(*ecdsa.PublicKey), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: k.ID(), ALG: jwkset.AlgES256}})
			require.NoError(b, err)
			require.NoError(b, store.KeyWrite(ctx, jwk))
		}
		kf, err := keyfunc.New(keyfunc.Options{Storage: store})
		require.NoError(b, err)
		token := &jwt.Token{Header: map[string]any{"kid": "key-number-17", "alg": "ES256"}}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := kf.KeyfuncCtx(ctx)(token); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCurrent(b *testing.B) {
	k := newKey(b, "a")
	for b.Loop() {
		if !k.Current() {
			b.Fatal("not current")
		}
	}
}

// BenchmarkParse parses a set of 20 keys, as a refresh does.
func BenchmarkParse(b *testing.B) {
	set, err := jwks.NewSet(twentyKeys(b)...)
	require.NoError(b, err)
	document, err := set.MarshalJSON()
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jwks.Parse(document); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLookupAllocates: finding a key allocates nothing.
func TestLookupAllocates(t *testing.T) {
	keys := twentyKeys(t)
	set, err := jwks.NewSet(keys...)
	require.NoError(t, err)
	remote := newIssuer(t, keys...).remote(t)
	rotator := newRotator(t, jwks.RotatorConfig{})
	kid := kidOf(t, sign(t, rotator))
	for name, lookup := range map[string]func() ([]*jwks.Key, error){
		"set":     func() ([]*jwks.Key, error) { return set.Lookup(context.Background(), "key-number-17", "ES256") },
		"remote":  func() ([]*jwks.Key, error) { return remote.Lookup(context.Background(), "key-number-17", "ES256") },
		"rotator": func() ([]*jwks.Key, error) { return rotator.Lookup(context.Background(), kid, "ES256") },
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := lookup(); err != nil {
				t.Error(err)
			}
		}), name)
	}
}

// BenchmarkSign signs claims like those of an access token. x-raw is its time divided by that of the bare signature,
// measured in turns.
func BenchmarkSign(b *testing.B) {
	now := time.Now().Unix()
	claims := struct {
		jwt.RegisteredClaims `json:"-"`

		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ClientID string `json:"client_id"`
		Scope    string `json:"scope"`
		ID       string `json:"jti"`
		IssuedAt int64  `json:"iat"`
		Expiry   int64  `json:"exp"`
		AuthTime int64  `json:"auth_time"`
		Session  string `json:"sid"`
	}{Issuer: "https://login.example", Subject: "alice-1", Audience: "api1", ClientID: "spa", Scope: "openid offline_access api1",
		ID: strings.Repeat("i", 50), IssuedAt: now, Expiry: now + 300, AuthTime: now, Session: strings.Repeat("s", 22)}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		b.Run(alg, func(b *testing.B) {
			store := new(jwks.MemoryKeyStore)
			r := newRotator(b, jwks.RotatorConfig{Algorithm: alg, Store: store})
			token, err := r.Sign(context.Background(), "at+jwt", claims)
			require.NoError(b, err)
			text := []byte(token[:strings.LastIndexByte(token, '.')])
			key := privateKey(b, store)
			raw := func() error {
				if alg == "EdDSA" {
					_, err := key.Sign(rand.Reader, text, crypto.Hash(0))
					return err
				}
				hash := sha256.Sum256(text)
				_, err := key.Sign(rand.Reader, hash[:], crypto.SHA256)
				return err
			}
			var whole, alone []time.Duration
			for b.Loop() {
				begin := time.Now()
				_, err := r.Sign(context.Background(), "at+jwt", claims)
				between := time.Now()
				err2 := raw()
				end := time.Now()
				if err != nil || err2 != nil {
					b.Fatal(err, err2)
				}
				whole, alone = append(whole, between.Sub(begin)), append(alone, end.Sub(between))
			}
			slices.Sort(whole)
			slices.Sort(alone)
			middle := len(whole) / 2
			b.ReportMetric(0, "ns/op") // which would be the sum of both
			b.ReportMetric(float64(whole[middle])/1e3, "µs/Sign")
			b.ReportMetric(float64(alone[middle])/1e3, "µs/raw")
			b.ReportMetric(float64(whole[middle])/float64(alone[middle]), "x-raw")
		})
	}
}
