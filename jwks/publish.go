package jwks

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

// ServeHTTP answers GET and HEAD with the key set: the retired, the active and the next keys, as application/json with
// Cache-Control and an ETag, for pages of any origin (the keys are public). It answers 503 while there is no key.
func (r *Rotator) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	v, err := r.current(req.Context())
	if err != nil {
		r.cfg.Logger.ErrorContext(req.Context(), "jwks: no keys to publish", "error", err)
		h.Set("Cache-Control", "no-store")
		h.Set("Retry-After", "5")
		http.Error(w, "the keys are not available", http.StatusServiceUnavailable)
		return
	}
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(r.cfg.MaxAge/time.Second)))
	h.Set("ETag", v.etag)
	h.Set("Content-Type", "application/json")
	// It answers HEAD and If-None-Match, by the ETag.
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(v.document))
}
