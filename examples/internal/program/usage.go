package program

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// UsageError is a flag that parsed but cannot be used; the program ends with ExitUsage.
type UsageError struct {
	Flag string // its name without the dash
	Err  error
}

func (e *UsageError) Error() string { return fmt.Sprintf("-%s: %v", e.Flag, e.Err) }
func (e *UsageError) Unwrap() error { return e.Err }

// What package flag says of a mistake; it has no error types for them.
var (
	badValue = regexp.MustCompile(`(?s)^invalid (?:boolean )?value "(.*)" for (?:flag )?-([^ :]+): `)
	noValue  = regexp.MustCompile(`^flag needs an argument: -(.+)$`)
	noFlag   = regexp.MustCompile(`^flag provided but not defined: -(.+)$`)
)

// parseError says what was there and what was wanted, for an error of flags.Parse.
func parseError(flags *flag.FlagSet, err error) error {
	text := err.Error()
	if found := noFlag.FindStringSubmatch(text); found != nil {
		return &UsageError{Flag: found[1], Err: errors.New("there is no such flag, -h lists them")}
	}
	if found := noValue.FindStringSubmatch(text); found != nil {
		return &UsageError{Flag: found[1], Err: errors.New("its value is missing")}
	}
	found := badValue.FindStringSubmatch(text)
	if found == nil || flags.Lookup(found[2]) == nil {
		return err
	}
	value, name := found[1], found[2] // the value as %q writes it
	getter, _ := flags.Lookup(name).Value.(flag.Getter)
	if getter == nil {
		return err
	}
	wanted := "is not a valid value"
	switch getter.Get().(type) {
	case time.Duration:
		wanted = "is not a duration, write 90s or 5m"
		if _, err := strconv.ParseUint(value, 10, 31); err == nil {
			wanted = "is not a duration, write " + value + "s"
		}
	case bool:
		wanted = "is neither true nor false"
	case int, int64, uint, uint64:
		wanted = "is not a whole number"
	case float64:
		wanted = "is not a number"
	}
	return &UsageError{Flag: name, Err: fmt.Errorf(`"%s" %s`, value, wanted)}
}
