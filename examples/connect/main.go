// Command connect is a Connect service. Its handlers are http.Handlers, so the middleware goes around them in one line,
// and Connect, gRPC-Web and gRPC clients understand its answers: 401 is unauthenticated, 403 permission_denied, 503
// unavailable.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/bearergate/bearergate/middleware"
)

// The procedure's name, as generated code would have it.
const greetProcedure = "/greet.v1.GreetService/Greet"

func main() {
	addr := flag.String("addr", "127.0.0.1:5001", "address to listen on")
	issuer := flag.String("issuer", "http://127.0.0.1:5000", "issuer of the access tokens")
	flag.Parse()

	// Nothing is fetched yet: the issuer may start later than this service.
	auth, err := middleware.New(middleware.NewConfig(*issuer, "api1"))
	if err != nil {
		log.Fatal(err)
	}
	// gRPC clients need HTTP/2, here without TLS because only this machine is listened to.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Addr:              *addr,
		Handler:           services(auth),
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
	}
	log.Printf("listening on http://%s", *addr)
	log.Fatal(server.ListenAndServe())
}

func services(auth *middleware.Bearer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(greetProcedure, auth.Require("api1")(connect.NewUnaryHandler(greetProcedure, greet)))
	return mux
}

func greet(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
	token, _ := middleware.FromContext(ctx)
	return connect.NewResponse(wrapperspb.String("Hello, " + token.Subject() + ".")), nil
}
