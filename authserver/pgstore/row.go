package pgstore

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bearergate/bearergate/authserver"
)

// columns are those of a grant, in the order of values and of scan.
const columns = `id, salt, client_id, subject, session_id, scopes, resources, refresh, redirect_uri, challenge, nonce, auth_time, acr,
	amr, created_at, expires_at, generation, idle_expires_at, history, replays, access_expires_at, revoked_at, revoke_reason`

// values are the columns of g.
func values(g *authserver.Grant) []any {
	return []any{g.ID, g.Salt, g.ClientID, g.Subject, text(g.SessionID), list(g.Scopes), list(g.Resources), g.Refresh, text(g.RedirectURI),
		text(g.Challenge), nonce(g.Nonce), millis(g.AuthTime), text(g.ACR), list(g.AMR), g.CreatedAt.UnixMilli(), g.ExpiresAt.UnixMilli(),
		int64(g.Generation), g.IdleExpiresAt.UnixMilli(), history(g.History...), int32(g.Replays), millis(g.AccessExpiresAt),
		millis(g.RevokedAt), text(g.RevokeReason)}
}

// scan reads the columns.
func scan(row pgx.CollectableRow) (authserver.Grant, error) {
	var g authserver.Grant
	var session, redirect, challenge, acr, reason *string
	var auth, access, revoked *int64
	var created, expires, idle, generation int64
	var replays int32
	var nonce, past []byte
	err := row.Scan(&g.ID, &g.Salt, &g.ClientID, &g.Subject, &session, &g.Scopes, &g.Resources, &g.Refresh, &redirect, &challenge, &nonce,
		&auth, &acr, &g.AMR, &created, &expires, &generation, &idle, &past, &replays, &access, &revoked, &reason)
	if err != nil {
		return authserver.Grant{}, err
	}
	for _, f := range []struct {
		to   *string
		from *string
	}{{&g.SessionID, session}, {&g.RedirectURI, redirect}, {&g.Challenge, challenge}, {&g.ACR, acr}, {&g.RevokeReason, reason}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	for _, f := range []struct {
		to   *time.Time
		from *int64
	}{{&g.AuthTime, auth}, {&g.AccessExpiresAt, access}, {&g.RevokedAt, revoked}, {&g.CreatedAt, &created}, {&g.ExpiresAt, &expires},
		{&g.IdleExpiresAt, &idle}} {
		if f.from != nil {
			*f.to = time.UnixMilli(*f.from).UTC()
		}
	}
	g.Nonce, g.Generation, g.Replays = string(nonce), uint32(generation), int(replays) //nolint:gosec // it went in as uint32
	for ; len(past) >= historyWidth; past = past[historyWidth:] {
		g.History = append(g.History, time.UnixMilli(int64(binary.BigEndian.Uint64(past))).UTC()) //nolint:gosec // two's complement
	}
	return g, nil
}

// historyWidth is how many bytes of the column history one time takes.
const historyWidth = 8

func history(times ...time.Time) []byte {
	out := make([]byte, 0, historyWidth*len(times))
	for _, t := range times {
		out = binary.BigEndian.AppendUint64(out, uint64(t.UnixMilli())) //nolint:gosec // two's complement
	}
	return out
}

// What is empty is NULL, which takes no space in a row.

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nonce(s string) any {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func list(l []string) any {
	if len(l) == 0 {
		return nil
	}
	return l
}

func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}
