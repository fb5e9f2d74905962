// Command expiry shows what happens to a call when its access token expires, on a virtual clock. Three Api1s that differ only
// in their clock skew are called every ten seconds with a token that lives for one minute.
package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"os"

	"github.com/bearergate/bearergate/examples/internal/program"
)

func main() {
	var picture string
	program.Main("expiry", func(flags *flag.FlagSet) {
		flags.StringVar(&picture, "svg", "", "`file` to write the picture to")
	}, func(ctx context.Context, stdout io.Writer, _ *slog.Logger) error {
		lanes, err := simulate(ctx)
		if err != nil {
			return err
		}
		if picture != "" {
			var svg bytes.Buffer
			draw(&svg, lanes)
			if err := os.WriteFile(picture, svg.Bytes(), 0o644); err != nil {
				return &program.UsageError{Flag: "svg", Err: err}
			}
		}
		return printTable(stdout, lanes, onTerminal(stdout))
	})
}

// onTerminal reports whether w is a terminal that shows colours.
func onTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
