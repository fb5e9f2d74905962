package authserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// names returns the members of a token's payload in their order, and fails for a duplicate.
func names(t *testing.T, token string) []string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, err = dec.Token()
	require.NoError(t, err)
	var list []string
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		require.NotContains(t, list, name)
		list = append(list, name.(string))
		require.NoError(t, dec.Decode(new(any)))
	}
	slices.Sort(list)
	return list
}

// TestClaims compares all claims of the tokens, with and without claims that the application adds.
func TestClaims(t *testing.T) {
	odd := map[string]any{"roles": []any{"a", "b"}, "html": `</script>&"\` + "\u2028é", "deep": map[string]any{"n": 1.5, "nothing": nil}, "": "no name"}
	now := float64(1795348800) // the world's clock
	for _, row := range []struct {
		name        string
		pairs       []string
		hook        func(*authserver.Issuance)
		access, ids map[string]any // beyond what all have
	}{
		{"the server's own", []string{"scope", "openid api1 offline_access"}, nil, nil, nil},
		{"the user's", []string{"scope", "openid api1 offline_access profile phone"}, nil, nil,
			map[string]any{"name": "Alice Smith", "phone_number": "+1 555 0100"}},
		{"a hook that adds nothing", []string{"scope", "openid api1 offline_access"}, func(*authserver.Issuance) {}, nil, nil},
		{"the application's", []string{"scope", "openid api1 offline_access email"}, func(i *authserver.Issuance) {
			maps.Copy(i.AccessClaims, odd)
			maps.Copy(i.IDClaims, odd)
			i.Response["further"] = odd
		}, odd, func() map[string]any { m := maps.Clone(odd); m["email"] = "alice@example.com"; return m }()},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				if row.hook != nil {
					w.cfg.BeforeIssue = func(_ context.Context, i *authserver.Issuance) error { row.hook(i); return nil }
				}
			})
			first := w.signIn(row.pairs...)
			again := w.refresh(first.str("refresh_token"))
			require.Equal(t, 200, again.status, again.body)
			for _, r := range []reply{first, again} {
				g := w.row(r.str("refresh_token"))
				_, access := claims(t, r.str("access_token"))
				want := map[string]any{"iss": issuer, "sub": "alice-1", "aud": "api1", "iat": now, "exp": now + 300, "auth_time": now, "sid": g.SessionID,
					"client_id": mvcID, "jti": access["jti"], "amr": access["amr"], "scope": strings.Join(g.Scopes, " ")}
				maps.Copy(want, row.access)
				assert.Equal(t, want, access)
				assert.Equal(t, slices.Sorted(maps.Keys(want)), names(t, r.str("access_token")))
				assert.Regexp(t, `^`+g.ID+`\.[12]\.[A-Z2-7]{26}$`, access["jti"])

				_, id := claims(t, r.str("id_token"))
				want = map[string]any{"iss": issuer, "sub": "alice-1", "aud": mvcID, "iat": now, "exp": now + 300, "auth_time": now, "sid": g.SessionID,
					"amr": access["amr"]}
				if r.str("id_token") == first.str("id_token") {
					want["nonce"] = "n-0S6"
				}
				maps.Copy(want, row.ids)
				assert.Equal(t, want, id)
				assert.Equal(t, slices.Sorted(maps.Keys(want)), names(t, r.str("id_token")))

				members := []string{"access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"}
				if row.access != nil {
					members = append(members, "further")
					assert.Equal(t, odd, r.json["further"])
				}
				assert.ElementsMatch(t, members, slices.Collect(maps.Keys(r.json)))
				assert.Equal(t, float64(300), r.json["expires_in"])
			}
		})
	}
}
