// Command mcp is an MCP server whose tools need an access token. The SDK's own middleware asks a TokenVerifier; a
// middleware.Validator is one in a few lines. The protected resource metadata, where MCP clients learn which issuer to go
// to (RFC 9728), is the middleware's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	mcpauth "github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/bearergate/bearergate/middleware"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5001", "address to listen on")
	issuer := flag.String("issuer", "http://127.0.0.1:5000", "issuer of the access tokens")
	flag.Parse()

	resource := "http://" + *addr + "/mcp"
	cfg := middleware.NewConfig(*issuer, "api1", resource) // the demo's name, and what MCP clients ask for (RFC 8707)
	cfg.Resource = resource
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	// No WriteTimeout: a session's stream of events stays open.
	server := &http.Server{Addr: *addr, Handler: handler(auth, "http://"+*addr), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	log.Printf("listening on %s", resource)
	log.Fatal(server.ListenAndServe())
}

func handler(auth *middleware.Bearer, origin string) http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "bearergate-example", Version: "v0.1.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "says who you are"}, whoami)
	tools := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)

	mux := http.NewServeMux()
	path, metadata := auth.Metadata()
	mux.Handle(path, metadata)
	mux.Handle("/mcp", mcpauth.RequireBearerToken(verifier(auth.Validator()), &mcpauth.RequireBearerTokenOptions{
		ResourceMetadataURL: origin + path,
		Scopes:              []string{"api1"},
		ClockSkew:           time.Minute, // the SDK looks at the expiry once more: as generous as the Validator
	})(tools))
	return mux
}

// verifier lets a Validator validate the SDK's tokens. The SDK answers 401 for ErrInvalidToken and 500 for other errors, and
// repeats their text: so a token is never called bad because the issuer is down, and the client gets our word, not the cause.
func verifier(v *middleware.Validator) mcpauth.TokenVerifier {
	return func(ctx context.Context, raw string, _ *http.Request) (*mcpauth.TokenInfo, error) {
		token, err := v.Validate(ctx, raw)
		switch {
		case errors.Is(err, middleware.ErrInvalidToken):
			return nil, fmt.Errorf("%w: %s", mcpauth.ErrInvalidToken, middleware.Reason(err))
		case err != nil:
			return nil, errors.New(middleware.Reason(err))
		}
		return &mcpauth.TokenInfo{UserID: token.Subject(), Scopes: token.Scopes(), Expiration: token.Expiry()}, nil
	}
}

func whoami(_ context.Context, r *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
	text := "You are " + r.Extra.TokenInfo.UserID + "."
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}
