package pgstore

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bearergate/bearergate/authserver"
)

// columns are the columns of a grant, in the order of columnValues and scanGrant.
const columns = `id, salt, client_id, subject, session_id, scopes, resources, refresh, redirect_uri, challenge, nonce,
	auth_time, acr, amr, created_at, expires_at, generation, idle_expires_at, history, replays, access_expires_at,
	revoked_at, revoke_reason`

// columnValues returns the values of the columns.
func columnValues(g *authserver.Grant) []any {
	return []any{
		g.ID, g.Salt, g.ClientID, g.Subject, textOrNull(g.SessionID), listOrNull(g.Scopes), listOrNull(g.Resources),
		g.Refresh, textOrNull(g.RedirectURI), textOrNull(g.Challenge), bytesOrNull(g.Nonce), millisOrNull(g.AuthTime),
		textOrNull(g.ACR), listOrNull(g.AMR), g.CreatedAt.UnixMilli(), g.ExpiresAt.UnixMilli(), int64(g.Generation),
		g.IdleExpiresAt.UnixMilli(), encodeHistory(g.History...), int32(g.Replays), millisOrNull(g.AccessExpiresAt),
		millisOrNull(g.RevokedAt), textOrNull(g.RevokeReason),
	}
}

// scanGrant reads the columns.
func scanGrant(row pgx.CollectableRow) (authserver.Grant, error) {
	var g authserver.Grant
	var session, redirect, challenge, acr, reason *string
	var auth, access, revoked *int64
	var created, expires, idle, generation int64
	var replays int32
	var nonce, history []byte
	err := row.Scan(&g.ID, &g.Salt, &g.ClientID, &g.Subject, &session, &g.Scopes, &g.Resources, &g.Refresh, &redirect,
		&challenge, &nonce, &auth, &acr, &g.AMR, &created, &expires, &generation, &idle, &history, &replays, &access,
		&revoked, &reason)
	if err != nil {
		return authserver.Grant{}, err
	}
	g.SessionID, g.RedirectURI, g.Challenge = textFrom(session), textFrom(redirect), textFrom(challenge)
	g.ACR, g.RevokeReason, g.Nonce = textFrom(acr), textFrom(reason), string(nonce)
	g.AuthTime, g.AccessExpiresAt, g.RevokedAt = timeFrom(auth), timeFrom(access), timeFrom(revoked)
	g.CreatedAt, g.ExpiresAt, g.IdleExpiresAt = timeFrom(&created), timeFrom(&expires), timeFrom(&idle)
	g.Generation, g.Replays = uint32(generation), int(replays) //nolint:gosec // it was written from a uint32
	for ; len(history) >= historyWidth; history = history[historyWidth:] {
		ms := int64(binary.BigEndian.Uint64(history)) //nolint:gosec // two's complement
		g.History = append(g.History, time.UnixMilli(ms).UTC())
	}
	return g, nil
}

// scanRevocation reads the columns of the statement revoked.
func scanRevocation(row pgx.CollectableRow) (authserver.Revocation, error) {
	var r authserver.Revocation
	var at, end int64
	err := row.Scan(&r.ID, &at, &end)
	r.At, r.AccessExpiresAt = timeFrom(&at), timeFrom(&end)
	return r, err
}

// historyWidth is how many bytes one time takes in the column history.
const historyWidth = 8

func encodeHistory(times ...time.Time) []byte {
	out := make([]byte, 0, historyWidth*len(times))
	for _, t := range times {
		out = binary.BigEndian.AppendUint64(out, uint64(t.UnixMilli())) //nolint:gosec // two's complement
	}
	return out
}

// Empty values are stored as NULL, which takes no space in a row.

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func bytesOrNull(s string) any {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func listOrNull(l []string) any {
	if len(l) == 0 {
		return nil
	}
	return l
}

func millisOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func textFrom(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func timeFrom(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}
