package authserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

const (
	feedPage = 1000
	// feedOverlap is by how much a reader begins before the end of what it has read. A revocation is in the list under the time at which
	// it began, and shows up when it is done: after revokeTime at most. The rest is for the clocks of several processes.
	feedOverlap = 90 * time.Second
	revokeTime  = time.Minute
)

// feedAnswer is one page of the revocation list.
type feedAnswer struct {
	Revoked []feedEntry `json:"revoked"`
	Cursor  string      `json:"cursor"`
	More    bool        `json:"more,omitempty"` // the next page is there already
}

// feedEntry is one session: the jti of each of its access tokens begins with ID and a dot, and from Expires on nobody accepts them anyway.
type feedEntry struct {
	ID      string `json:"id"`
	Expires int64  `json:"exp"` // Unix seconds
}

// revoked is the revocation list, for APIs that judge access tokens by themselves. See the package documentation.
func (s *Server) revoked(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		s.refuse(w, r, &oauthError{status: http.StatusMethodNotAllowed, code: "invalid_request", description: "the method is not GET"})
		return
	}
	p, refusal := readQuery(r)
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	c, refusal := s.authenticate(r, &params{}) // whatever the query says: there are no credentials in it
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	answer, refusal := s.feed(r.Context(), c, p.get("since"))
	s.reply(w, r, answer, refusal)
}

// readQuery reads the parameters of a GET.
func readQuery(r *http.Request) (*params, *oauthError) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidRequest("the query is malformed")
	}
	for _, name := range known {
		if query.Has(name) {
			return nil, invalidRequest("credentials and tokens do not belong in the query")
		}
	}
	return newParams(query)
}

func (s *Server) feed(ctx context.Context, c *Client, since string) (any, *oauthError) {
	if c.public() {
		return nil, s.clientFailed(ctx, c.ID, errors.New("authserver: a public client may not see what is revoked"))
	}
	if len(c.Serves) == 0 {
		return nil, &oauthError{status: http.StatusForbidden, code: "unauthorized_client", description: "the client serves no resource"}
	}
	now := s.now()
	from := feedCursor{}
	if since != "" {
		var ok bool
		if from, ok = parseFeedCursor(since); !ok {
			return nil, invalidRequest("since is not a cursor of this server")
		}
	}
	// A cursor of another process whose clock is ahead must not make the reader miss what this one revokes.
	if from.after == "" {
		from.since, from.began = earlier(from.since, now.Add(-feedOverlap)), now
	}
	from.began = earlier(from.began, now)
	list, err := s.cfg.Store.Revoked(ctx, from.since, from.after, now, feedPage+1)
	if err != nil {
		return nil, unavailable(err)
	}
	answer := feedAnswer{Revoked: []feedEntry{}, More: len(list) > feedPage}
	next := feedCursor{since: from.began.Add(-feedOverlap)}
	if answer.More {
		list = list[:feedPage]
		last := list[feedPage-1]
		next = feedCursor{since: last.At, began: from.began, after: last.ID}
	}
	for _, r := range list {
		answer.Revoked = append(answer.Revoked, feedEntry{r.ID, r.AccessExpiresAt.Add(time.Second - time.Millisecond).Unix()})
	}
	if answer.Cursor, err = next.String(); err != nil {
		return nil, &oauthError{status: http.StatusInternalServerError, code: "server_error", description: "there is no next page", cause: err}
	}
	return answer, nil
}
