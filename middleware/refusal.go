package middleware

import (
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A verdict is one way to be refused. There is one value for each, below.
type verdict struct {
	class       error
	reason      string
	text        string  // for the error, after "middleware: "
	description string  // for the client; never with anything from the token
	causes      []error // golang-jwt's errors for the same
	suspicious  bool    // nothing that an honest issuer or client would send
}

var (
	claimCause   = []error{jwt.ErrTokenInvalidClaims}
	formCause    = []error{jwt.ErrTokenMalformed}
	missingCause = []error{jwt.ErrTokenInvalidClaims, jwt.ErrTokenRequiredClaimMissing}
)

var (
	verdictNoToken = &verdict{class: ErrNoToken, reason: ReasonNoToken, text: "no access token"}

	verdictMultiple = &verdict{class: ErrInvalidRequest, reason: ReasonMultipleTokens,
		text: "more than one access token", description: "The request carries more than one access token"}
	verdictCredentials = &verdict{class: ErrInvalidRequest, reason: ReasonMalformedCredentials,
		text: "malformed credentials", description: "The credentials are malformed"}

	verdictTooLarge = &verdict{class: ErrInvalidToken, reason: ReasonTooLarge, causes: formCause,
		text: "token is too large", description: "The access token is too large"}
	verdictMalformed = &verdict{class: ErrInvalidToken, reason: ReasonMalformed, causes: formCause,
		text: "token is malformed", description: "The access token is malformed"}
	verdictHeader = &verdict{class: ErrInvalidToken, reason: ReasonMalformedHeader, causes: formCause,
		text: "token header is malformed", description: "The access token is malformed"}
	verdictKeyID = &verdict{class: ErrInvalidToken, reason: ReasonMalformedKeyID, causes: formCause,
		text: "kid is not a short string", description: "The access token is malformed"}
	verdictPayload = &verdict{class: ErrInvalidToken, reason: ReasonMalformedPayload, causes: formCause,
		text: "token payload is malformed", description: "The access token is malformed"}
	verdictClaimType = &verdict{class: ErrInvalidToken, reason: ReasonMalformedClaim, causes: []error{jwt.ErrTokenMalformed, jwt.ErrInvalidType},
		text: "claim has the wrong type or is out of range", description: "The access token is malformed"}
	verdictFolded = &verdict{class: ErrInvalidToken, reason: ReasonFoldedClaim, causes: formCause, suspicious: true,
		text: "name of a registered claim in another case", description: "The access token is malformed"}
	verdictCritical = &verdict{class: ErrInvalidToken, reason: ReasonCritical, causes: []error{jwt.ErrTokenUnverifiable}, suspicious: true,
		text: "header has crit or b64", description: "The access token uses an extension that is not supported"}
	verdictAlgorithm = &verdict{class: ErrInvalidToken, reason: ReasonAlgorithm, causes: []error{jwt.ErrTokenUnverifiable, jwt.ErrTokenSignatureInvalid}, suspicious: true,
		text: "algorithm is not allowed", description: "The signature algorithm is not accepted"}
	verdictType = &verdict{class: ErrInvalidToken, reason: ReasonType, causes: []error{jwt.ErrTokenUnverifiable},
		text: "type is not that of an access token", description: "The token is not an access token"}

	verdictIssuer = &verdict{class: ErrInvalidToken, reason: ReasonIssuer, causes: []error{jwt.ErrTokenInvalidClaims, jwt.ErrTokenInvalidIssuer},
		text: "issuer is unknown", description: "The issuer is not accepted"}
	verdictNoIssuer = &verdict{class: ErrInvalidToken, reason: ReasonIssuer, causes: append(missingCause[:2:2], jwt.ErrTokenInvalidIssuer),
		text: "token has no issuer", description: "The issuer is not accepted"}
	verdictAudience = &verdict{class: ErrInvalidToken, reason: ReasonAudience, causes: []error{jwt.ErrTokenInvalidClaims, jwt.ErrTokenInvalidAudience},
		text: "audience is not this server", description: "The audience is not accepted"}
	verdictNoAudience = &verdict{class: ErrInvalidToken, reason: ReasonAudience, causes: append(missingCause[:2:2], jwt.ErrTokenInvalidAudience),
		text: "token has no audience", description: "The audience is not accepted"}
	verdictExpired = &verdict{class: ErrInvalidToken, reason: ReasonExpired, causes: []error{jwt.ErrTokenInvalidClaims, jwt.ErrTokenExpired},
		text: "token is expired", description: "The access token expired"}
	verdictNoExpiry = &verdict{class: ErrInvalidToken, reason: ReasonNoExpiry, causes: missingCause,
		text: "token has no expiration time", description: "The access token has no expiration time"}
	verdictNotYetValid = &verdict{class: ErrInvalidToken, reason: ReasonNotYetValid, causes: []error{jwt.ErrTokenInvalidClaims, jwt.ErrTokenNotValidYet},
		text: "token is not valid yet", description: "The access token is not valid yet"}
	verdictLifetime = &verdict{class: ErrInvalidToken, reason: ReasonLifetime, causes: claimCause,
		text: "token's nbf is later than its exp", description: "The lifetime of the access token is invalid"}
	verdictIssuedInFuture = &verdict{class: ErrInvalidToken, reason: ReasonIssuedInFuture, causes: []error{jwt.ErrTokenInvalidClaims, jwt.ErrTokenUsedBeforeIssued},
		text: "token was issued in the future", description: "The access token was issued in the future"}
	verdictTooOld = &verdict{class: ErrInvalidToken, reason: ReasonTooOld, causes: []error{jwt.ErrTokenInvalidClaims, jwt.ErrTokenExpired},
		text: "token is older than MaxTokenAge", description: "The access token is too old"}
	verdictMissing = &verdict{class: ErrInvalidToken, reason: ReasonMissingClaim, causes: missingCause,
		text: "required claim is missing", description: "The access token lacks a required claim"}

	verdictBound = &verdict{class: ErrInvalidToken, reason: ReasonBound, causes: claimCause,
		text: "token is bound to a key that nothing here proves", description: "The access token is bound to a key of its client"}

	verdictUnknownKey = &verdict{class: ErrInvalidToken, reason: ReasonUnknownKey, causes: []error{jwt.ErrTokenUnverifiable},
		text: "signing key is unknown", description: "The signing key is unknown"}
	verdictUnfitKey = &verdict{class: ErrInvalidToken, reason: ReasonUnfitKey, suspicious: true,
		causes: []error{jwt.ErrTokenUnverifiable, jwt.ErrInvalidKey},
		text:   "signing key does not fit the algorithm", description: "The signing key does not fit the algorithm"}
	verdictSignature = &verdict{class: ErrInvalidToken, reason: ReasonInvalidSignature, causes: []error{jwt.ErrTokenSignatureInvalid}, suspicious: true,
		text: "signature is invalid", description: "The signature is invalid"}
	verdictCheck = &verdict{class: ErrInvalidToken, reason: ReasonCheck,
		text: "refused by Check", description: "The access token is not accepted"}

	verdictACR = &verdict{class: ErrInsufficientAuthentication, reason: ReasonACR,
		text: "authentication is too weak", description: "A different authentication level is required"}
	verdictAuthAge = &verdict{class: ErrInsufficientAuthentication, reason: ReasonAuthAge,
		text: "authentication is too old", description: "More recent authentication is required"}

	verdictScope = &verdict{class: ErrInsufficientScope, reason: ReasonScope,
		text: "scope is insufficient", description: "The access token lacks the required scope"}
	verdictNotPermitted = &verdict{class: ErrInsufficientScope, reason: ReasonNotPermitted,
		text: "claims don't permit this", description: "The access token does not permit this"}

	verdictKeysUnavailable = &verdict{class: ErrKeysUnavailable, reason: ReasonKeysUnavailable, causes: []error{jwt.ErrTokenUnverifiable},
		text: "signing keys are unavailable", description: "Access tokens can't be verified at the moment"}
	verdictCancelled = &verdict{class: ErrKeysUnavailable, reason: ReasonCancelled, causes: []error{jwt.ErrTokenUnverifiable},
		text: "cancelled before the signature was verified", description: "Access tokens can't be verified at the moment"}
	verdictCheckUnavailable = &verdict{class: ErrCheckUnavailable, reason: ReasonCheckUnavailable,
		text: "Check is unavailable", description: "Access tokens can't be verified at the moment"}
)

// A refusal is a verdict on one token.
type refusal struct {
	verdict   *verdict
	subject   string        // what of the token it is about; unverified, quoted in the text
	detail    func() string // the text in place of the verdict's: what was there and what was wanted
	at, now   time.Time     // for verdicts about time
	cause     error         // what others said: a key source, Check
	candidate *candidate    // what was read of the token before it was refused, nil for none
	route     *route        // which one wants more: its scope, acr_values, max_age
}

func refuse(v *verdict) *refusal { return &refusal{verdict: v} }

func (r *refusal) withSubject(subject string) *refusal { r.subject = subject; return r }

func (r *refusal) withDetail(text func() string) *refusal { r.detail = text; return r }

func (r *refusal) withCause(err error) *refusal { r.cause = err; return r }

func (r *refusal) withTimes(at, now time.Time) *refusal { r.at, r.now = at, now; return r }

func (r *refusal) withCandidate(c *candidate) *refusal { r.candidate = c; return r }

func (r *refusal) Error() string {
	text := "middleware: "
	if r.detail != nil {
		text += r.detail()
	} else {
		text += r.verdict.text
	}
	if r.subject != "" {
		text += ": " + quote(r.subject)
	}
	if !r.at.IsZero() {
		text += ": " + r.at.UTC().Format(time.RFC3339Nano) + ", now " + r.now.UTC().Format(time.RFC3339Nano)
	}
	if r.cause != nil {
		text += ": " + r.cause.Error()
	}
	return text
}

// Is matches the class and golang-jwt's errors for the same.
func (r *refusal) Is(target error) bool {
	return target == r.verdict.class || slices.Contains(r.verdict.causes, target)
}

func (r *refusal) Unwrap() error { return r.cause }

// refusalOf returns the refusal that err is or wraps, nil for none.
func refusalOf(err error) *refusal {
	r, _ := errors.AsType[*refusal](err)
	return r
}

// classOf returns the class that err belongs to, nil for none.
func classOf(err error) error {
	if r := refusalOf(err); r != nil {
		return r.verdict.class
	}
	for _, class := range []error{ErrInvalidRequest, ErrInvalidToken, ErrInsufficientAuthentication, ErrInsufficientScope,
		ErrKeysUnavailable, ErrCheckUnavailable, ErrNoToken} {
		if errors.Is(err, class) {
			return class
		}
	}
	return nil
}
