package authservertest_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/bearergate/bearergate/authserver/authservertest"
)

func Example() {
	as := authservertest.New(nil) // in a test: New(t)
	tokens := as.SignIn("spa")
	fmt.Println(tokens.Scope)

	as.DropAnswers(1)
	_, err := as.Refresh("spa", tokens.RefreshToken)
	fmt.Println(err != nil)
	again, err := as.Refresh("spa", tokens.RefreshToken) // a moment later: the retry gets what the lost answer held
	fmt.Println(again != nil, err)

	as.Advance(time.Minute)
	_, err = as.Refresh("spa", tokens.RefreshToken) // too late for a retry: the token has been stolen, or so it seems
	var refusal *authservertest.Refusal
	fmt.Println(errors.As(err, &refusal), refusal.Code)
	// Output:
	// openid profile email phone address offline_access api1 read write
	// true
	// true <nil>
	// true invalid_grant
}
