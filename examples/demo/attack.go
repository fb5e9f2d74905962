package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bearergate/bearergate/middleware/authtest"
)

// An attacker sends the classic bad tokens. It knows everything about the issuer but its private key.
type attacker struct{ tokens []authtest.BadToken }

func newAttacker(issuer string) (*attacker, error) {
	f := &attacker{}
	err := outsideATest(func(tb testing.TB) {
		f.tokens = authtest.NewIssuer(tb, authtest.IssuedBy(issuer), authtest.Audience("api1"), authtest.ExpiresIn(365*24*time.Hour)).BadTokens()
	})
	return f, err
}

// names lists the tokens that can be sent in an Authorization header.
func (f *attacker) names() []string {
	var names []string
	for _, t := range f.tokens {
		names = append(names, t.Name)
	}
	return names
}

// send sends the named token to every Api1.
func (f *attacker) send(ctx context.Context, c *caller, name string) error {
	for _, token := range f.tokens {
		if token.Name != name {
			continue
		}
		c.timeline.note("Forged: " + name + ".")
		for lane := range c.apis {
			e, err := c.call(ctx, lane, token.Token)
			if err != nil {
				// Some can't be written into a header at all: net/http refuses.
				c.timeline.note("This token can't be sent: an HTTP header can't carry it.")
				return nil
			}
			e.Forged, e.Text = true, name
			c.timeline.add(e)
		}
		return nil
	}
	return fmt.Errorf("there is no bad token %q", name)
}

// outsideATest runs code that needs a testing.TB: authtest is made for tests, and the demo borrows it. What would fail the test
// becomes an error.
func outsideATest(run func(testing.TB)) (err error) {
	tb := &notATest{}
	defer func() {
		for _, cleanup := range tb.cleanups {
			cleanup()
		}
		if problem := recover(); problem != nil {
			failed, ok := problem.(failure)
			if !ok {
				panic(problem)
			}
			err = fmt.Errorf("demo: %s", string(failed))
		}
	}()
	run(tb)
	return nil
}

type failure string

type notATest struct {
	testing.TB // nil: only what is overridden below is used
	cleanups   []func()
}

func (*notATest) Helper()                           {}
func (t *notATest) Cleanup(f func())                { t.cleanups = append(t.cleanups, f) }
func (*notATest) Fatal(args ...any)                 { panic(failure(fmt.Sprint(args...))) }
func (*notATest) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }
