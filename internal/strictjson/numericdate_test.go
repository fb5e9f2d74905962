package strictjson_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/internal/strictjson"
)

func TestNumericDate(t *testing.T) {
	for _, row := range []struct {
		text string
		good bool
		sec  int64
		nsec int64
	}{
		{"0", true, 0, 0},
		{"1", true, 1, 0},
		{"1623820561", true, 1623820561, 0},
		{"1623820561.5", true, 1623820561, 5e8},
		{"1623820561.123456789", true, 1623820561, 123456789},
		{"1623820561.1234567899", true, 1623820561, 123456789},
		{"0.000000001", true, 0, 1},
		{"0.0000000001", true, 0, 0},
		{"1.5e3", true, 1500, 0},
		{"1.5E+3", true, 1500, 0},
		{"15e-1", true, 1, 5e8},
		{"1500e-5", true, 0, 15e6},
		{"1e-400", true, 0, 0},
		{"0e999", true, 0, 0},
		{"0.0e999", true, 0, 0},
		{"0." + strings.Repeat("0", 50) + "17e52", true, 17, 0},
		{"1." + strings.Repeat("0", 60), true, 1, 0},
		{"1" + strings.Repeat("0", 30) + "e-30", true, 1, 0},
		{"253402300799.999999999", true, 253402300799, 999999999},
		{"253402300800", false, 0, 0},
		{"1e12", false, 0, 0},
		{"1e999999999999999999999", false, 0, 0},
		{"9223372036854775808", false, 0, 0},
		{strings.Repeat("9", 300), false, 0, 0},
		{"-1", false, 0, 0},
		{"-0", false, 0, 0},
		{`"1"`, false, 0, 0},
		{"true", false, 0, 0},
		{"null", false, 0, 0},
		{"{}", false, 0, 0},
		{"[1]", false, 0, 0},
	} {
		at, good := strictjson.NumericDate(row.text)
		assert.Equal(t, row.good, good, row.text)
		if row.good {
			assert.Equal(t, time.Unix(row.sec, row.nsec).UTC(), at, row.text)
		}
	}
}
