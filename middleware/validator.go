package middleware

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/bearergate/bearergate/jwks"
)

// A Validator judges access tokens: [Validator.Validate] is the only place where that is done, and [Bearer] is its HTTP
// face. It is safe for concurrent use.
type Validator struct {
	cfg     Config
	issuers []*issuer
	closers []*jwks.Remote
	headers *headers
	cache   *cache // nil for none
	limit   limit
	clock   *clock // nil when the configuration brings its own
	silent  bool   // nobody is asked or told about a token that is accepted
}

// issuer is an Issuer with what is worked out once.
type issuer struct {
	Issuer
	algs     []*algorithm
	types    []string // normalised
	required int      // as bits
	others   []string // required claims that have no bit
	tells    bool     // the source drops keys visibly, see [jwks.Key.Current]
}

// NewValidator returns a Validator for cfg. It does no I/O and starts nothing. Its error names every problem of cfg at
// once.
func NewValidator(cfg *Config) (*Validator, error) {
	if cfg == nil || !cfg.made {
		return nil, errNotMade
	}
	v := &Validator{cfg: cfg.clone(), headers: newHeaders()}
	p := v.cfg.problems()
	if len(p) > 0 {
		return nil, errors.Join(p...)
	}
	if cfg.Now == nil {
		v.clock = new(clock)
	}
	v.silent = cfg.Check == nil && cfg.OnEvent == nil
	v.cache = newCache(cfg.CacheEntries, cfg.CacheBytes, cfg.CacheDigests)
	v.limit.init(cfg.MaxVerifications)
	for _, terms := range v.cfg.all() {
		iss, err := v.newIssuer(terms)
		if err != nil {
			p = append(p, err)
			continue
		}
		v.issuers = append(v.issuers, iss)
	}
	if len(p) > 0 {
		_ = v.Close()
		return nil, errors.Join(p...)
	}
	return v, nil
}

// Validate judges raw, the text of a compact JWT, by the steps that the package documentation lists, and returns what
// it says when it is acceptable. The error otherwise belongs to one class ([ErrInvalidToken], [ErrKeysUnavailable],
// [ErrCheckUnavailable], or the class that Check chose) and wraps the cause; [Reason] gives its stable word.
//
// It does not judge whether the token permits what is asked (see [Token.HasScope] and [Bearer.Require]), whether the
// bearer is the one that the token was given to, or whether the token was used before.
//
// When the issuer's keys have to be fetched, Validate waits for them no longer than ctx lives; its error then is
// ErrKeysUnavailable and wraps ctx's.
func (v *Validator) Validate(ctx context.Context, raw string) (*Token, error) {
	e := v.recall(ctx, raw)
	if e != nil && v.silent {
		return e.token, nil
	}
	var c dossier
	tok, err := v.judge(ctx, raw, e, &c)
	v.report(ctx, &c, tok, err)
	if err != nil {
		return nil, err
	}
	return tok, nil
}

// Ready reports whether the keys of every issuer are at hand, fetching them if need be, for readiness probes.
func (v *Validator) Ready(ctx context.Context) error {
	var errs []error
	for _, iss := range v.issuers {
		if source, ok := iss.Keys.(interface{ Ready(context.Context) error }); ok {
			if err := source.Ready(ctx); err != nil {
				errs = append(errs, &refusal{verdict: verdictKeysUnavailable, subject: iss.Name, cause: err})
			}
		}
	}
	return errors.Join(errs...)
}

// Close ends what the Validator has running in the background: the key sets that it found by discovery, not those that
// the caller brought. Validate must not be called afterwards.
func (v *Validator) Close() error {
	var errs []error
	for _, r := range v.closers {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

func (v *Validator) now() time.Time { return v.cfg.Now() }

// micro is now in microseconds since 1970, by the cheap clock.
func (v *Validator) micro() int64 {
	if v.clock == nil {
		return v.now().UnixMicro()
	}
	return v.clock.micro()
}

// newIssuer works out what the judgement needs of terms, whose problems were looked for before.
func (v *Validator) newIssuer(terms Issuer) (*issuer, error) {
	iss := &issuer{Issuer: terms}
	for _, name := range terms.Algorithms {
		iss.algs = append(iss.algs, algorithmNamed(name))
	}
	iss.types = terms.types()
	required := terms.RequiredClaims
	if terms.Profile == RFC9068 {
		required = append([]string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}, required...)
	}
	for _, name := range required {
		if bit, ok := claimBits[name]; ok {
			iss.required |= bit
		} else if !slices.Contains(iss.others, name) {
			iss.others = append(iss.others, name)
		}
	}
	switch iss.Keys.(type) {
	case *jwks.Remote, *jwks.Set: // a Set never drops any
		iss.tells = true
		return iss, nil
	case nil:
	default:
		return iss, nil
	}
	remote, err := jwks.NewRemote(jwks.RemoteConfig{
		Issuer:            terms.Name,
		URL:               terms.KeySetURL,
		AllowInsecureHTTP: v.cfg.AllowInsecureHTTP,
		Client:            v.cfg.HTTPClient,
		Logger:            v.cfg.Logger,
	})
	if err != nil {
		return nil, &problem{"issuer " + strconv.Quote(terms.Name), err}
	}
	iss.Keys, iss.tells = remote, true
	v.closers = append(v.closers, remote)
	return iss, nil
}

// algorithm returns the algorithm of that name if this issuer may use it.
func (iss *issuer) algorithm(name string) *algorithm {
	for _, a := range iss.algs {
		if a.name == name {
			return a
		}
	}
	return nil
}

func (iss *issuer) hasAudience(name string) bool {
	for _, ours := range iss.Audiences {
		if name == ours {
			return true
		}
		// ASP.NET's IgnoreTrailingSlashWhenValidatingAudience.
		if iss.Profile == ASPNET && (name+"/" == ours || name == ours+"/") {
			return true
		}
	}
	return false
}
