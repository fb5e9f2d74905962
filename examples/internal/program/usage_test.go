package program_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/examples/internal/program"
)

func TestMistakesInFlags(t *testing.T) {
	define := func(flags *flag.FlagSet) {
		flags.Duration("skew", time.Minute, "")
		flags.Bool("once", false, "")
		flags.Int("count", 1, "")
		flags.Float64("ratio", 1, "")
		flags.String("name", "", "")
	}
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"a duration without a unit", []string{"-skew", "5"}, `-skew: "5" is not a duration, write 5s`},
		{"not a duration", []string{"-skew=soon"}, `-skew: "soon" is not a duration, write 90s or 5m`},
		{"several lines", []string{"-skew", "a\nb"}, `-skew: "a\nb" is not a duration, write 90s or 5m`},
		{"not a boolean", []string{"-once=perhaps"}, `-once: "perhaps" is neither true nor false`},
		{"not a whole number", []string{"-count", "1.5"}, `-count: "1.5" is not a whole number`},
		{"not a number", []string{"-ratio", "x"}, `-ratio: "x" is not a number`},
		{"no value", []string{"-name"}, `-name: its value is missing`},
		{"no such flag", []string{"--colour=red"}, `-colour: there is no such flag, -h lists them`},
		{"an argument", []string{"extra"}, `unexpected argument "extra"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := program.Run(t.Context(), "test", row.args, &stdout, &stderr, define,
				func(context.Context, io.Writer, *slog.Logger) error { return nil })
			assert.Equal(t, program.ExitUsage, code)
			assert.Empty(t, stdout.String())
			assert.Equal(t, "test: "+row.want+"\n", stderr.String())
		})
	}
}
