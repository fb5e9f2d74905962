package authserver

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// feedCursor says where a reader of the revocation list goes on. It is no secret and has no signature: whoever makes one up
// gets another part of what they may read anyway. As text it is base64url of
//
//	version 1 | since 8                             to begin at a time
//	version 1 | since 8 | began 8 | grant id 16     to go on with the next page
//
// with times in milliseconds since 1970, big-endian.
type feedCursor struct {
	since time.Time
	// began is when the first page was read: what was revoked since may have shown up behind the pages.
	began time.Time
	after string
}

const (
	feedCursorVersion = 1
	feedCursorBegin   = 1 + 8
	feedCursorPage    = 1 + 8 + 8 + grantIDSize
)

// String is the cursor as it is handed out. Errors: errBadGrantID.
func (c feedCursor) String() (string, error) {
	raw := make([]byte, 0, feedCursorPage)
	since := max(c.since.UnixMilli(), 0) // nothing was revoked before
	raw = binary.BigEndian.AppendUint64(append(raw, feedCursorVersion), uint64(since))
	if c.after != "" {
		id, err := strictBase64.DecodeString(c.after)
		if err != nil || len(id) != grantIDSize {
			return "", errBadGrantID
		}
		raw = append(binary.BigEndian.AppendUint64(raw, uint64(c.began.UnixMilli())), id...) //nolint:gosec // after 1970
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// maxFeedTime is the end of the year 9999: no clock says more, and no store has to cope with it.
const maxFeedTime = 253402300799999

// parseFeedCursor reads what String has written, and nothing else.
func parseFeedCursor(text string) (c feedCursor, ok bool) {
	if len(text) > base64.RawURLEncoding.EncodedLen(feedCursorPage) || strings.ContainsAny(text, "\r\n") {
		return c, false
	}
	raw, err := strictBase64.DecodeString(text)
	if err != nil || len(raw) != feedCursorBegin && len(raw) != feedCursorPage || raw[0] != feedCursorVersion {
		return c, false
	}
	if c.since, ok = feedTime(raw[1:]); !ok || len(raw) == feedCursorBegin {
		return c, ok
	}
	c.began, ok = feedTime(raw[feedCursorBegin:])
	c.after = base64.RawURLEncoding.EncodeToString(raw[feedCursorBegin+8:])
	return c, ok
}

func feedTime(raw []byte) (time.Time, bool) {
	ms := binary.BigEndian.Uint64(raw)
	return time.UnixMilli(int64(ms % (maxFeedTime + 1))).UTC(), ms <= maxFeedTime
}
