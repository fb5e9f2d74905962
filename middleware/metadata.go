package middleware

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

const metadataPath = "/.well-known/oauth-protected-resource"

// newMetadata returns the URL of the metadata document, its path and its handler (RFC 9728, Section 3.1: inserted
// between the host and the path of the resource identifier).
func newMetadata(cfg *Config) (address, path string, h http.Handler) {
	if cfg.Resource == "" {
		return "", metadataPath, http.NotFoundHandler()
	}
	u, _ := url.Parse(cfg.Resource) // checkHTTP has looked at it
	rest := u.EscapedPath()
	if rest == "/" {
		rest = ""
	}
	path = metadataPath + rest
	address = u.Scheme + "://" + u.Host + path
	if u.RawQuery != "" {
		address += "?" + u.RawQuery
	}
	doc := cfg.metadataDocument()
	return address, path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*") // public, and clients in browsers need it
		switch {
		case r.URL.EscapedPath() != path:
			http.NotFound(w, r)
		case r.Method == http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", "GET, HEAD")
			h.Set("Access-Control-Allow-Headers", "*")
			w.WriteHeader(http.StatusNoContent)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			h.Set("Content-Type", "application/json")
			h.Set("Cache-Control", "public, max-age=300")
			_, _ = w.Write(doc)
		}
	})
}

// metadataDocument is the document of RFC 9728, Section 2; resource is the configured text, byte for byte (Section
// 3.3).
func (c *Config) metadataDocument() []byte {
	doc := maps.Clone(c.ResourceMetadata)
	if doc == nil {
		doc = map[string]any{}
	}
	var servers []string
	for _, iss := range c.issuers() {
		servers = append(servers, iss.Name)
	}
	doc["resource"] = c.Resource
	doc["authorization_servers"] = servers
	if _, given := doc["bearer_methods_supported"]; !given && c.Credentials == nil {
		doc["bearer_methods_supported"] = []string{"header"}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc) // checkHTTP has tried it
	return []byte(b.String())
}
