package peerbench

import (
	"context"
	"net/http"
	"strings"
)

// library is the HTTP side that applications write around a library without one: it reads the Bearer token from the header and
// answers 401 to every error. These answers are not the library's, so the table only shows whether the library accepts.
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
