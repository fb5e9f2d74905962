package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// An event is one thing that happened, as the page draws it. It never holds a token.
type event struct {
	Seq  int64  `json:"seq"`
	Time int64  `json:"t"`              // milliseconds since 1970
	Kind string `json:"kind"`           // call, token, refresh, note
	Lane int    `json:"lane"`           // which Api1; -1: none
	Text string `json:"text,omitempty"` // for people

	Status    int    `json:"status,omitempty"`    // of a call
	Challenge string `json:"challenge,omitempty"` // its WWW-Authenticate line
	Forged    bool   `json:"forged,omitempty"`    // the call carried a forged token
	OK        bool   `json:"ok,omitempty"`        // of a refresh

	IssuedAt int64           `json:"iat,omitempty"` // of a token, milliseconds
	Expires  int64           `json:"exp,omitempty"`
	Header   json.RawMessage `json:"header,omitempty"`
	Claims   json.RawMessage `json:"claims,omitempty"`
}

// status is the present state; events are what happened.
type status struct {
	Now      int64  `json:"now"`
	SignedIn string `json:"signedIn"` // the user; empty: nobody
	Ended    bool   `json:"ended"`    // the authorization server rejects the refresh token
	Paused   bool   `json:"paused"`
	IssuerUp bool   `json:"issuerUp"`
}

// A timeline keeps the last events and streams them to every open page.
type timeline struct {
	mu     sync.Mutex
	events []event
	seq    int64
	wake   chan struct{} // closed and replaced with every change
	status func() status
}

// maxEvents is about ten minutes of three lanes.
const maxEvents = 4000

func newTimeline(status func() status) *timeline {
	return &timeline{wake: make(chan struct{}), status: status}
}

func (t *timeline) add(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	e.Seq = t.seq
	if e.Time == 0 {
		e.Time = time.Now().UnixMilli()
	}
	t.events = append(t.events, e)
	if len(t.events) > maxEvents {
		t.events = append([]event(nil), t.events[len(t.events)-maxEvents/2:]...)
	}
	close(t.wake)
	t.wake = make(chan struct{})
}

func (t *timeline) note(text string) { t.add(event{Kind: "note", Lane: -1, Text: text}) }

// since returns the events after seq, and a channel that is closed when there are more.
func (t *timeline) since(seq int64) ([]event, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := len(t.events)
	for first > 0 && t.events[first-1].Seq > seq {
		first--
	}
	return append([]event(nil), t.events[first:]...), t.wake
}

// stream sends the events to one page (server-sent events) from where it left off, until the page closes or ended is done.
// It sends a status at least every two seconds, so that a page can tell a quiet stream from a broken one.
func (t *timeline) stream(w http.ResponseWriter, r *http.Request, ended context.Context) {
	seq, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		seq = 0
	}
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	beat := time.NewTicker(2 * time.Second)
	defer beat.Stop()
	for {
		events, more := t.since(seq)
		// The server's write timeout is for answers that end; here each write has its own.
		if err := control.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return
		}
		for _, e := range events {
			seq = e.Seq
			if !send(w, "event", e.Seq, e) {
				return
			}
		}
		if !send(w, "status", seq, t.status()) || control.Flush() != nil {
			return
		}
		select {
		case <-more:
		case <-beat.C:
		case <-r.Context().Done():
			return
		case <-ended.Done():
			return
		}
	}
}

func send(w http.ResponseWriter, kind string, id int64, data any) bool {
	text, err := json.Marshal(data)
	if err != nil {
		return false
	}
	_, err = fmt.Fprintf(w, "event: %s\nid: %d\ndata: %s\n\n", kind, id, text)
	return err == nil
}
