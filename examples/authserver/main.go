// Command authserver is an authorization server with demo data: the users alice and bob, whose passwords are their names.
package main

import (
	"github.com/bearergate/bearergate/examples/internal/issuer"
	"github.com/bearergate/bearergate/examples/internal/program"
)

func main() {
	var options issuer.Options
	program.Main("authserver", options.Define, issuer.Main(&options))
}
