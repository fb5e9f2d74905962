package middleware

import (
	"math"
	"time"
)

// checkTimes checks exp, nbf, iat and the token's age at now, to the nanosecond. It is asked about new tokens, about
// cached ones at every hit, and about those that a request's context carries.
func (v *Validator) checkTimes(iss *issuer, t *times, now time.Time) *refusal {
	hasExp, hasNbf, hasIat := !t.expiry.IsZero(), !t.notBefore.IsZero(), !t.issued.IsZero()
	skew := v.cfg.ClockSkew
	if !hasExp && v.cfg.RequireExpirationTime {
		return refuse(verdictNoExpiry)
	}
	if hasExp && hasNbf && t.notBefore.After(t.expiry) {
		return refuse(verdictLifetime)
	}
	if hasNbf && now.Before(t.notBefore.Add(-skew)) {
		return refuse(verdictNotYetValid).withTimes(t.notBefore, now)
	}
	if hasExp {
		// RFC 7519, Section 4.1.4: on or after the expiration time a token must not be accepted.
		end := t.expiry.Add(skew)
		if now.After(end) || now.Equal(end) && !iss.rules.inclusiveExpiry {
			return refuse(verdictExpired).withTimes(t.expiry, now)
		}
	}
	if hasIat && !iss.rules.ignoreFutureIat && t.issued.After(now.Add(skew)) {
		return refuse(verdictIssuedInFuture).withTimes(t.issued, now)
	}
	if iss.MaxTokenAge > 0 {
		if !hasIat {
			return refuse(verdictMissing).withSubject("iat")
		}
		if now.Sub(t.issued) > sum(iss.MaxTokenAge, skew) {
			return refuse(verdictTooOld).withTimes(t.issued, now)
		}
	}
	return nil
}

// sum adds without overflow: an age without end and a skew are an age without end.
func sum(a, b time.Duration) time.Duration {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxInt64
}
