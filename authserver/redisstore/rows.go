package redisstore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// The value of a grant's key, a row, is
//
//	format 1 ‖ generation 4 ‖ replays 4 ‖ idle end, end, access end, revoked at 8 each ‖
//	length of history 1 ‖ history 8 × 8 ‖ length of reason 1 ‖ reason 32 ‖ the rest as JSON
//
// with sizes in bytes. Numbers are big-endian, times are milliseconds since 1970. The head, everything before the JSON,
// has a fixed length, so that a script rewrites only the head.
const (
	rowFormat   = 1
	reasonWidth = authserver.ReasonLength
	headWidth   = 1 + 4 + 4 + 4*8 + 1 + authserver.HistoryLength*8 + 1 + reasonWidth
	// zeroTime is the zero time.Time in milliseconds.
	zeroTime = -62135596800000
)

// immutableFields are the fields of a grant that never change.
type immutableFields struct {
	ID          string   `json:"i"`
	Salt        []byte   `json:"s"`
	ClientID    string   `json:"c"`
	Subject     string   `json:"u"`
	Scopes      []string `json:"p,omitempty"`
	Resources   []string `json:"r,omitempty"`
	Refresh     bool     `json:"f,omitempty"`
	RedirectURI string   `json:"d,omitempty"`
	Challenge   string   `json:"h,omitempty"`
	Nonce       string   `json:"n,omitempty"`
	SessionID   string   `json:"z,omitempty"`
	AuthTime    int64    `json:"t"`
	ACR         string   `json:"a,omitempty"`
	AMR         []string `json:"m,omitempty"`
	CreatedAt   int64    `json:"b"`
}

func encodeRow(g *authserver.Grant) ([]byte, error) {
	if len(g.RevokeReason) > reasonWidth || len(g.History) > authserver.HistoryLength ||
		g.Replays < 0 || g.Replays > math.MaxUint32 {
		return nil, errors.New("redisstore: the reason, the history or the replay count of the grant is too long")
	}
	row := make([]byte, 0, 512)
	row = append(row, rowFormat)
	row = binary.BigEndian.AppendUint32(row, g.Generation)
	row = binary.BigEndian.AppendUint32(row, uint32(g.Replays)) //nolint:gosec // checked
	for _, t := range []time.Time{g.IdleExpiresAt, g.ExpiresAt, g.AccessExpiresAt, g.RevokedAt} {
		row = binary.BigEndian.AppendUint64(row, uint64(t.UnixMilli())) //nolint:gosec // two's complement
	}
	row = append(row, byte(len(g.History)))
	var history [authserver.HistoryLength * 8]byte
	for i, t := range g.History {
		binary.BigEndian.PutUint64(history[8*i:], uint64(t.UnixMilli())) //nolint:gosec // two's complement
	}
	row = append(append(row, history[:]...), byte(len(g.RevokeReason)))
	var reason [reasonWidth]byte
	copy(reason[:], g.RevokeReason)
	row = append(row, reason[:]...)
	text, err := json.Marshal(immutableFields{g.ID, g.Salt, g.ClientID, g.Subject, g.Scopes, g.Resources, g.Refresh,
		g.RedirectURI, g.Challenge, g.Nonce, g.SessionID, g.AuthTime.UnixMilli(), g.ACR, g.AMR, g.CreatedAt.UnixMilli()})
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	return append(row, text...), nil
}

func decodeRow(row string) (authserver.Grant, error) {
	if len(row) < headWidth || row[0] != rowFormat {
		return authserver.Grant{}, ErrDamaged
	}
	head := []byte(row[1:headWidth])
	var f immutableFields
	if err := json.Unmarshal([]byte(row[headWidth:]), &f); err != nil {
		return authserver.Grant{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	g := authserver.Grant{
		ID: f.ID, Salt: f.Salt, ClientID: f.ClientID, Subject: f.Subject, Scopes: f.Scopes, Resources: f.Resources,
		Refresh: f.Refresh, RedirectURI: f.RedirectURI, Challenge: f.Challenge, Nonce: f.Nonce, SessionID: f.SessionID,
		AuthTime: time.UnixMilli(f.AuthTime).UTC(), ACR: f.ACR, AMR: f.AMR, CreatedAt: time.UnixMilli(f.CreatedAt).UTC(),
	}
	g.Generation, g.Replays = binary.BigEndian.Uint32(head), int(binary.BigEndian.Uint32(head[4:]))
	head = head[8:]
	nextTime := func() time.Time {
		t := time.UnixMilli(int64(binary.BigEndian.Uint64(head))).UTC() //nolint:gosec // two's complement
		head = head[8:]
		return t
	}
	g.IdleExpiresAt, g.ExpiresAt, g.AccessExpiresAt, g.RevokedAt = nextTime(), nextTime(), nextTime(), nextTime()
	n := int(head[0])
	if head = head[1:]; n > authserver.HistoryLength {
		return authserver.Grant{}, ErrDamaged
	}
	for i := range authserver.HistoryLength {
		if t := nextTime(); i < n {
			g.History = append(g.History, t)
		}
	}
	n = int(head[0])
	if head = head[1:]; n > reasonWidth {
		return authserver.Grant{}, ErrDamaged
	}
	g.RevokeReason = string(head[:n])
	return g, nil
}
