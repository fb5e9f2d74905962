package middleware

// Reasons are the stable words for outcomes, for logs, metrics and tests.
const (
	ReasonAccepted = "accepted"
	ReasonUnknown  = "unknown" // not an error of this package

	// ErrNoToken
	ReasonNoToken = "no_token"

	// ErrInvalidRequest
	ReasonMultipleTokens       = "multiple_tokens"       // two Authorization headers, or two ways at once
	ReasonMalformedCredentials = "malformed_credentials" // not "Bearer", space, b64token; or an unreadable form

	// ErrInvalidToken: form
	ReasonTooLarge         = "too_large"
	ReasonMalformed        = "malformed"         // not three segments of strict base64url
	ReasonMalformedHeader  = "malformed_header"  // not one strict JSON object, or alg, typ of the wrong type
	ReasonMalformedKeyID   = "malformed_kid"     // kid is not a string, or too long
	ReasonMalformedPayload = "malformed_payload" // not one strict JSON object
	ReasonMalformedClaim   = "malformed_claim"   // a registered claim of the wrong type, or out of range
	ReasonFoldedClaim      = "folded_claim"      // a registered claim's name in another case
	ReasonCritical         = "critical_header"   // crit or b64
	ReasonAlgorithm        = "algorithm_not_allowed"
	ReasonType             = "type_not_allowed"

	// ErrInvalidToken: claims
	ReasonIssuer           = "unknown_issuer"
	ReasonAudience         = "wrong_audience"
	ReasonExpired          = "expired"
	ReasonNoExpiry         = "no_expiry"
	ReasonNotYetValid      = "not_yet_valid"
	ReasonLifetime         = "invalid_lifetime" // nbf later than exp
	ReasonIssuedInFuture   = "issued_in_future"
	ReasonTooOld           = "too_old" // MaxTokenAge
	ReasonMissingClaim     = "missing_claim"
	ReasonBound            = "bound_token" // cnf, without proof of possession
	ReasonUnknownKey       = "unknown_key"
	ReasonUnfitKey         = "unfit_key" // the key has not the curve or size that alg wants
	ReasonInvalidSignature = "invalid_signature"
	ReasonCheck            = "refused_by_check"

	// ErrInsufficientAuthentication
	ReasonACR     = "insufficient_acr"
	ReasonAuthAge = "authentication_too_old"

	// ErrInsufficientScope
	ReasonScope        = "insufficient_scope"
	ReasonNotPermitted = "not_permitted" // Requirement.Allow

	// ErrKeysUnavailable
	ReasonKeysUnavailable = "keys_unavailable"
	ReasonCancelled       = "cancelled" // the caller's context ended while the keys, or a turn to verify, were awaited

	// ErrCheckUnavailable
	ReasonCheckUnavailable = "check_unavailable"
)

// Reason returns the stable word for the outcome that err stands for: [ReasonAccepted] for nil and [ReasonUnknown] for
// an error that is not of this package.
func Reason(err error) string {
	if err == nil {
		return ReasonAccepted
	}
	if r := refusalOf(err); r != nil {
		return r.verdict.reason
	}
	if v := classVerdicts[classOf(err)]; v != nil {
		return v.reason
	}
	return ReasonUnknown
}
