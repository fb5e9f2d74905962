package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// Clients of all three protocols are told what is wrong in their own words.
func TestClients(t *testing.T) {
	iss := authtest.NewIssuer(t, authtest.Scope("api1"))
	auth, err := middleware.New(iss.Config("api1"))
	require.NoError(t, err)
	defer auth.Close()
	down := authtest.NewIssuer(t, authtest.Scope("api1"))
	down.Outage(true)
	downAuth, err := middleware.New(down.Config("api1"))
	require.NoError(t, err)
	defer downAuth.Close()

	for _, protocol := range []struct {
		name    string
		options []connect.ClientOption
	}{
		{"connect", nil}, {"grpc-web", []connect.ClientOption{connect.WithGRPCWeb()}}, {"grpc", []connect.ClientOption{connect.WithGRPC()}},
	} {
		for _, row := range []struct {
			name  string
			auth  *middleware.Bearer
			token string
			code  connect.Code // 0 for an answer
		}{
			{"a good token", auth, iss.Token(), 0},
			{"no token", auth, "", connect.CodeUnauthenticated},
			{"an expired token", auth, iss.Token(authtest.Expired), connect.CodeUnauthenticated},
			{"a token without the scope", auth, iss.Token(authtest.Scope("profile")), connect.CodePermissionDenied},
			{"the issuer is down", downAuth, down.Token(), connect.CodeUnavailable},
		} {
			t.Run(protocol.name+"/"+row.name, func(t *testing.T) {
				server := httptest.NewUnstartedServer(services(row.auth))
				server.EnableHTTP2 = true
				server.StartTLS()
				defer server.Close()
				client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](
					server.Client(), server.URL+greetProcedure, append(protocol.options, with(row.token))...)

				answer, err := client.CallUnary(t.Context(), connect.NewRequest(&emptypb.Empty{}))
				if row.code != 0 {
					assert.Equal(t, row.code, connect.CodeOf(err), "%v", err)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, "Hello, alice.", answer.Msg.GetValue())
			})
		}
	}
}

// An HTTP client sees the challenge.
func TestChallenge(t *testing.T) {
	iss := authtest.NewIssuer(t)
	auth, err := middleware.New(iss.Config("api1"))
	require.NoError(t, err)
	defer auth.Close()

	rec := httptest.NewRecorder()
	services(auth).ServeHTTP(rec, httptest.NewRequest("POST", greetProcedure, nil))
	assert.Equal(t, http.StatusUnauthorized, rec.Code)
	assert.Equal(t, `Bearer realm="api1"`, rec.Result().Header.Get("WWW-Authenticate"))
}

// with makes a client send a token; "" for none.
func with(token string) connect.ClientOption {
	return connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
			if token != "" {
				r.Header().Set("Authorization", "Bearer "+token)
			}
			return next(ctx, r)
		}
	}))
}
