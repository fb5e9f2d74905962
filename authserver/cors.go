package authserver

import (
	"net/http"
	"slices"
)

// crossOrigin lets browser applications on the origins of clients read the answers. Credentials mode stays off, because
// the endpoints use no cookies. A preflight names no client, so it passes for the origins of all; restrictOrigin
// decides once the client is known.
func (s *Server) crossOrigin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		known := origin != "" && s.originKnown(origin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			if known {
				w.Header().Set("Access-Control-Allow-Origin", origin)
				w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
				w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
				w.Header().Set("Access-Control-Max-Age", "600")
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if known {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
		}
		next(w, r)
	}
}

func (s *Server) originKnown(origin string) bool {
	for _, c := range s.clients {
		if slices.Contains(c.Origins, origin) {
			return true
		}
	}
	return slices.Contains(s.cfg.Origins, origin)
}

// restrictOrigin withdraws the permission if the origin belongs to another client.
func (s *Server) restrictOrigin(w http.ResponseWriter, r *http.Request, c *Client) {
	if origin := r.Header.Get("Origin"); origin != "" && !slices.Contains(c.Origins, origin) {
		w.Header().Del("Access-Control-Allow-Origin")
	}
}
