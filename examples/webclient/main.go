// Command webclient is a web application that signs users in and calls Api1 for them.
package main

import (
	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/examples/internal/webclient"
)

func main() {
	var options webclient.Options
	program.Main("webclient", options.Define, webclient.Main(&options))
}
