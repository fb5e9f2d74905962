package authtest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

func TestAccepted(t *testing.T) {
	iss := authtest.NewIssuer(t, authtest.IssuedBy("https://login.test"))
	tok := iss.Accepted(authtest.Audience("api7", "api8"), authtest.Scope("a", "b"), authtest.Algorithm("PS512"), authtest.Claim("jti", "7"))
	assert.Equal(t, "https://login.test", tok.Issuer())
	assert.Equal(t, "alice", tok.Subject())
	assert.Equal(t, "7", tok.ID())
	assert.Equal(t, []string{"api7", "api8"}, tok.Audience())
	assert.Equal(t, []string{"a", "b"}, tok.Scopes())
	assert.Equal(t, "PS512", tok.Algorithm())

	iss.Outage(true)
	iss.Rotate()
	assert.Equal(t, iss.KeyID(), iss.Accepted().KeyID(), "the new keys, during an outage")

	found, ok := middleware.FromContext(iss.Context(t.Context(), authtest.Subject("bob")))
	assert.True(t, ok)
	assert.Equal(t, "bob", found.Subject())
}

// Accepted never returns a rejected token: a test that relies on a valid one must not continue.
func TestAcceptedFailsTheTest(t *testing.T) {
	for _, row := range []struct {
		name string
		mod  authtest.Mod
	}{
		{"expired", authtest.Expired},
		{"no audience", authtest.Without("aud")},
		{"another issuer", authtest.IssuedBy("https://mallory.test")},
	} {
		t.Run(row.name, func(t *testing.T) {
			iss := authtest.NewIssuer(nil)
			assert.Panics(t, func() { iss.Accepted(row.mod) })
		})
	}
}
