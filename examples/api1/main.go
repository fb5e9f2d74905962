// Command api1 is a resource server: GET /identity answers with the claims of a valid access token and rejects
// all others.
package main

import (
	"github.com/bearergate/bearergate/examples/internal/api1"
	"github.com/bearergate/bearergate/examples/internal/program"
)

func main() {
	var options api1.Options
	program.Main("api1", options.Define, api1.Main(&options))
}
