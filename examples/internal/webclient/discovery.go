package webclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// endpoints is what the client reads of the issuer's discovery document (OpenID Connect Discovery 1.0, Section 3).
type endpoints struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	EndSession    string `json:"end_session_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
}

// discovery finds the issuer's endpoints once and caches them: to ask for each request would double its latency.
type discovery struct {
	issuer string
	client *http.Client

	mu    sync.Mutex
	found *endpoints
}

func (d *discovery) endpoints(ctx context.Context) (*endpoints, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found != nil {
		return d.found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(d.issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return nil, err
	}
	response, err := d.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("discovery: the issuer answered %s", response.Status)
	}
	var found endpoints
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&found); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	// People write the issuer with and without its last slash. With any other difference it is another issuer.
	if strings.TrimSuffix(found.Issuer, "/") != strings.TrimSuffix(d.issuer, "/") {
		return nil, fmt.Errorf("discovery: the document is for issuer %q, not %q", found.Issuer, d.issuer)
	}
	if found.Authorization == "" || found.Token == "" {
		return nil, errors.New("discovery: the document lacks an endpoint")
	}
	d.found = &found
	return d.found, nil
}
