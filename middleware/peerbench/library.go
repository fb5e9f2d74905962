package peerbench

import (
	"context"
	"net/http"
	"strings"
)

// library is the HTTP side that applications write by hand around a library that has none: the Bearer token out of the
// header, 401 for every error. What it answers is ours, so the table shows of such a library only whether it accepts.
func library(next Handler, verify func(ctx context.Context, token string) (subject string, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		subject, err := verify(r.Context(), token)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next(w, r, subject)
	})
}
