package middleware

import (
	"math"
	"time"
)

// judgeTimes judges exp, nbf and iat at now, to the nanosecond.
func (v *Validator) judgeTimes(iss *issuer, c *claimSet, now time.Time) *refusal {
	aspnet := iss.Profile == ASPNET
	if c.has&hasExp == 0 && v.cfg.RequireExpirationTime {
		return v.noted(refuse(verdictNoExpiry), c)
	}
	if c.has&(hasExp|hasNbf) == hasExp|hasNbf && c.notBefore.After(c.expiry) {
		return v.noted(refuse(verdictLifetime), c)
	}
	if c.has&hasNbf != 0 && now.Before(c.notBefore.Add(-v.cfg.ClockSkew)) {
		return v.noted(&refusal{verdict: verdictNotYetValid, at: c.notBefore, now: now}, c)
	}
	if c.has&hasExp != 0 {
		// RFC 7519 §4.1.4: on or after the expiration time a token must not be accepted. ASP.NET accepts it at exactly
		// exp+skew.
		end := c.expiry.Add(v.cfg.ClockSkew)
		if now.After(end) || !aspnet && now.Equal(end) {
			return v.noted(&refusal{verdict: verdictExpired, at: c.expiry, now: now}, c)
		}
	}
	if c.has&hasIat != 0 && !aspnet && c.issued.After(now.Add(v.cfg.ClockSkew)) {
		return &refusal{verdict: verdictIssuedInFuture, at: c.issued, now: now}
	}
	if iss.MaxTokenAge > 0 {
		if c.has&hasIat == 0 {
			return refuse(verdictMissing).about("iat")
		}
		if now.Sub(c.issued) > sum(iss.MaxTokenAge, v.cfg.ClockSkew) {
			return &refusal{verdict: verdictTooOld, at: c.issued, now: now}
		}
	}
	return nil
}

// lasts reports whether tok, which was accepted, is certain not to have expired since. When it does not, the token is to be judged
// anew: a moment before its end, or without one, it is accepted again.
func (v *Validator) lasts(tok *Token) bool {
	end := tok.Expiry()
	return end.IsZero() || v.micro()+clockMargin < end.Add(v.cfg.ClockSkew).UnixMicro()
}

// judgeAudience wants one of ours among aud.
func (v *Validator) judgeAudience(iss *issuer, c *claimSet) *refusal {
	if c.has&hasAud == 0 {
		return v.noted(refuse(verdictNoAudience), c)
	}
	ours := false
	match := func(name string) bool {
		ours = iss.hasAudience(name)
		return !ours
	}
	if s, ok := c.aud.str(); ok {
		match(s)
	} else {
		eachString(c.aud, match)
	}
	if !ours {
		return v.noted(refuse(verdictAudience), c)
	}
	return nil
}

// noted adds the words of the configured profile: challenges have one form, whichever issuer the token names.
func (v *Validator) noted(r *refusal, c *claimSet) *refusal {
	if v.cfg.Profile == ASPNET {
		r.words = aspnetWords(r.verdict, c)
	}
	return r
}

// sum adds without wrapping: an age without end and a skew are an age without end.
func sum(a, b time.Duration) time.Duration {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxInt64
}
