package authserver

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	revocationPageSize = 1000
	// revocationOverlap is by how much a poll begins before the end of the last one. A revocation has the time at which
	// it began in the list, and shows up when it is done, at most revokeTime later. The rest is for clocks that differ.
	revocationOverlap = 90 * time.Second
	revokeTime        = time.Minute
)

// revocationAnswer is one page of the revocation list.
type revocationAnswer struct {
	Revoked []revocationEntry `json:"revoked"`
	Cursor  string            `json:"cursor"`
	More    bool              `json:"more,omitempty"` // the next page is there already
}

// revocationEntry is one grant. The jti of each of its access tokens begins with ID and a dot. From Expires on no API
// accepts them anyway.
type revocationEntry struct {
	ID      string `json:"id"`
	Expires int64  `json:"exp"` // Unix seconds
}

// revocationList answers with one page of the revocation list, for APIs that validate access tokens by themselves. See
// the package documentation.
func (s *Server) revocationList(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		s.refuse(w, r, methodNotAllowed("the method is not GET"))
		return
	}
	p, refusal := readQuery(r)
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	c, refusal := s.authenticate(r, params{}) // credentials in the query do not count
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	answer, refusal := s.revocationPage(r.Context(), c, p.get("since"))
	s.reply(w, r, answer, refusal)
}

// readQuery reads the parameters of a GET.
func readQuery(r *http.Request) (params, *oauthError) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidRequest("the query is malformed")
	}
	if slices.ContainsFunc(knownParams, query.Has) {
		return nil, invalidRequest("credentials and tokens do not belong in the query")
	}
	return newParams(query)
}

func (s *Server) revocationPage(ctx context.Context, c *Client, since string) (any, *oauthError) {
	if c.public() {
		return nil, s.clientFailed(ctx, c.ID, errors.New("authserver: a public client may not read the revocation list"))
	}
	if len(c.Serves) == 0 {
		return nil, &oauthError{status: http.StatusForbidden, code: "unauthorized_client",
			description: "the client serves no resource"}
	}
	now := s.now()
	from := revocationCursor{}
	if since != "" {
		var ok bool
		if from, ok = parseRevocationCursor(since); !ok {
			return nil, invalidRequest("since is not a cursor of this server")
		}
	}
	// A cursor of another process whose clock is ahead must not make the reader miss revocations of this one.
	if from.after == "" {
		from.since, from.began = earlier(from.since, now.Add(-revocationOverlap)), now
	}
	from.began = earlier(from.began, now)
	list, err := s.cfg.Store.Revoked(ctx, from.since, from.after, now, revocationPageSize+1)
	if err != nil {
		return nil, unavailable(err)
	}
	answer := revocationAnswer{Revoked: []revocationEntry{}, More: len(list) > revocationPageSize}
	next := revocationCursor{since: from.began.Add(-revocationOverlap)}
	if answer.More {
		list = list[:revocationPageSize]
		last := list[revocationPageSize-1]
		next = revocationCursor{since: last.At, began: from.began, after: last.ID}
	}
	for _, r := range list {
		roundedUp := r.AccessExpiresAt.Add(time.Second - time.Millisecond).Unix()
		answer.Revoked = append(answer.Revoked, revocationEntry{r.ID, roundedUp})
	}
	if answer.Cursor, err = next.String(); err != nil {
		return nil, serverError("there is no next page", err)
	}
	return answer, nil
}

// revocationCursor is where a reader of the revocation list goes on. It is no secret and has no signature: a reader
// that makes one up gets another part of what it may read anyway. As text it is base64url of
//
//	version 1 | since 8                             to begin at a time
//	version 1 | since 8 | began 8 | grant id 16     to go on with the next page
//
// with times in milliseconds since 1970, big-endian.
type revocationCursor struct {
	since time.Time
	// began is when the first page was read: later revocations may have shown up before the pages that were read.
	began time.Time
	after string
}

const (
	cursorVersion = 1
	cursorBegin   = 1 + 8
	cursorPage    = 1 + 8 + 8 + grantIDSize
)

// String returns the text of the cursor. Errors: errBadGrantID.
func (c revocationCursor) String() (string, error) {
	raw := make([]byte, 0, cursorPage)
	since := max(c.since.UnixMilli(), 0) // nothing was revoked before
	raw = binary.BigEndian.AppendUint64(append(raw, cursorVersion), uint64(since))
	if c.after != "" {
		id, err := strictBase64.DecodeString(c.after)
		if err != nil || len(id) != grantIDSize {
			return "", errBadGrantID
		}
		raw = append(binary.BigEndian.AppendUint64(raw, uint64(c.began.UnixMilli())), id...) //nolint:gosec // after 1970
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// maxCursorTime is the end of the year 9999. No clock is later, and no store has to support more.
const maxCursorTime = 253402300799999

// parseRevocationCursor reads what String returns, and nothing else.
func parseRevocationCursor(text string) (c revocationCursor, ok bool) {
	if len(text) > base64.RawURLEncoding.EncodedLen(cursorPage) || strings.ContainsAny(text, "\r\n") {
		return c, false
	}
	raw, err := strictBase64.DecodeString(text)
	if err != nil || len(raw) != cursorBegin && len(raw) != cursorPage || raw[0] != cursorVersion {
		return c, false
	}
	if c.since, ok = cursorTime(raw[1:]); !ok || len(raw) == cursorBegin {
		return c, ok
	}
	c.began, ok = cursorTime(raw[cursorBegin:])
	c.after = base64.RawURLEncoding.EncodeToString(raw[cursorBegin+8:])
	return c, ok
}

func cursorTime(raw []byte) (time.Time, bool) {
	ms := binary.BigEndian.Uint64(raw)
	return time.UnixMilli(int64(ms % (maxCursorTime + 1))).UTC(), ms <= maxCursorTime
}
