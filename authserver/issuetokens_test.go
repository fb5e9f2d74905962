package authserver_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

func TestIssueTokens(t *testing.T) {
	w := newWorld(t)
	old := w.signIn().str("refresh_token")
	w.kinds()
	tokens, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: mvcID, Subject: "alice-1", EndOthers: true})
	require.NoError(t, err)
	assert.Equal(t, []string{"token.issued", "grant.revoked"}, w.kinds())
	assert.NotContains(t, tokens.String(), tokens.RefreshToken)
	w.refused(w.refresh(old), "invalid_grant")
	_, id := claims(t, tokens.IDToken)
	assert.Equal(t, "alice-1", id["sub"])
	r := w.refresh(tokens.RefreshToken)
	require.Equal(t, http.StatusOK, r.status, r.body)

	few, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "spa", Subject: "bob-2", Scopes: []string{"api1"}})
	require.NoError(t, err)
	assert.Empty(t, few.RefreshToken)
	assert.Empty(t, few.IDToken)
	assert.Equal(t, "api1", few.Scope)

	for name, req := range map[string]authserver.IssueRequest{
		"unknown client": {ClientID: "nobody", Subject: "bob-2"},
		"unknown user":   {ClientID: "spa", Subject: "nobody"},
	} {
		_, err := w.srv.IssueTokens(t.Context(), req)
		assert.ErrorIs(t, err, authserver.ErrNotFound, name)
	}
	for name, req := range map[string]authserver.IssueRequest{
		"scope beyond the client": {ClientID: "spa", Subject: "bob-2", Scopes: []string{"admin"}},
		"no subject":              {ClientID: "spa"},
	} {
		_, err := w.srv.IssueTokens(t.Context(), req)
		assert.ErrorIs(t, err, authserver.ErrAccessDenied, name)
	}
}

func TestIssueTokensWhenTheApplicationRefuses(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.cfg.BeforeIssue = func(context.Context, *authserver.Issuance) error { return w.refuseIssue }
	})
	req := authserver.IssueRequest{ClientID: "spa", Subject: "bob-2", EndOthers: true}
	old, err := w.srv.IssueTokens(t.Context(), req)
	require.NoError(t, err)
	for _, refuse := range []error{authserver.ErrAccessDenied, errBroken} {
		w.refuseIssue = refuse
		_, err := w.srv.IssueTokens(t.Context(), req)
		assert.ErrorIs(t, err, refuse)
	}
	assert.True(t, w.row(old.RefreshToken).RevokedAt.IsZero(), "the others are ended only once the new one is there")
}
