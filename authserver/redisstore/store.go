package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

const (
	defaultPrefix  = "bearergate:"
	defaultTimeout = 5 * time.Second
	// bulkTimeoutFactor multiplies the timeout of a call that may concern all grants of a client.
	bulkTimeoutFactor = 12
)

// Errors of [Open] and of the methods of [Store].
var (
	// ErrEvicts is returned by Open when Redis would evict keys under memory pressure: grants, and with them
	// revocations.
	ErrEvicts = errors.New("redisstore: maxmemory-policy must be noeviction")
	// ErrReplicas is returned by Open when the client may read from replicas, which lag behind.
	ErrReplicas = errors.New("redisstore: the client must not read from replicas")
	// ErrDamaged is returned when a key holds what this package did not write. The key is left unchanged.
	ErrDamaged = errors.New("redisstore: a grant in Redis is damaged")
)

// Config configures [Open]. Optional fields have defaults for their zero value. Printing a Config shows no keys.
type Config struct {
	// Client is the connection: a redis.Client, a failover client or a cluster client. **Required.** The caller closes
	// it. With ContextTimeoutEnabled a call ends with its context; otherwise only the client's own timeouts apply.
	// Whatever MaxRetries is, the store never sends a command that changes something twice.
	Client redis.UniversalClient

	// SealKeys are AES-256 keys of 32 bytes each, which encrypt the private signing keys; see [jwks.SealedKeyStore].
	// The first one encrypts, all of them decrypt. At least one is **required**.
	//
	// To rotate: 1. Append the new key and deploy everywhere. 2. Move it to the front and deploy everywhere. 3. Remove
	// the old key. [Open] encrypts again what was not encrypted with the first key. So before step 3, one process must
	// start after the last one with the old order has stopped.
	SealKeys [][]byte

	// Prefix begins all keys; the default is "bearergate:". It must not contain braces.
	Prefix string

	// Timeout limits each call, in addition to the call's context; the default is 5 seconds. A Revoke or Grants whose
	// selector names no single grant may take twelve times as long. A call that runs out of time fails, and the server
	// answers 503.
	Timeout time.Duration
}

// Format implements [fmt.Formatter]. It prints no password and no key, whatever the verb.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "redisstore.Config") }

// Store is an [authserver.Store] and a [jwks.KeyStore] in Redis. Its methods may be called concurrently. They fail
// while Redis cannot be reached, and work again once it can. To close it, close the client.
type Store struct {
	client  redis.UniversalClient
	keys    *jwks.SealedKeyStore
	prefix  string
	timeout time.Duration
}

var (
	_ authserver.Store = (*Store)(nil)
	_ jwks.KeyStore    = (*Store)(nil)
)

// Open checks the configuration of Redis, and that SealKeys can decrypt the signing keys in it. The context applies to
// Open alone. Open returns [jwks.ErrSealKey], [jwks.ErrSealed], [ErrEvicts], [ErrReplicas] and errors of the
// connection, all wrapped.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	var problems []error
	if cfg.Client == nil {
		problems = append(problems, errors.New("redisstore: Client is missing"))
	}
	if c, ok := cfg.Client.(*redis.ClusterClient); ok && c.Options().ReadOnly {
		problems = append(problems, ErrReplicas)
	}
	if cfg.Timeout < 0 {
		problems = append(problems, fmt.Errorf("redisstore: Timeout is negative: %v", cfg.Timeout))
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if strings.ContainsAny(cfg.Prefix, "{}") { // a hash tag would put all keys of a cluster on one node
		problems = append(problems, fmt.Errorf("redisstore: Prefix %q must not contain a brace", cfg.Prefix))
	}
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	s := &Store{client: cfg.Client, prefix: cfg.Prefix, timeout: cfg.Timeout}
	var err error
	if s.keys, err = jwks.NewSealedKeyStore(sealedKeys{s}, cfg.SealKeys...); err != nil {
		problems = append(problems, fmt.Errorf("redisstore: SealKeys: %w", err))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if err := s.checkEviction(ctx); err != nil {
		return nil, err
	}
	if err := s.keys.Reseal(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// checkEviction checks every master of a cluster. It asks INFO, which is allowed where CONFIG is not.
func (s *Store) checkEviction(ctx context.Context) error {
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
				return rejectEviction(ctx, node)
			})
		}
		return rejectEviction(ctx, s.client)
	})
}

func rejectEviction(ctx context.Context, node redis.Cmdable) error {
	info, err := node.Info(ctx, "memory").Result()
	if err != nil {
		return err
	}
	for line := range strings.Lines(info) {
		if policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:"); ok && policy != "noeviction" {
			return fmt.Errorf("%w, it is %q", ErrEvicts, policy)
		}
	}
	return nil
}

// Format implements [fmt.Formatter]. It prints no password and no key, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "redisstore.Store") }

// do runs one call within a timeout.
func (s *Store) do(ctx context.Context, timeout time.Duration, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := f(ctx)
	known := []error{authserver.ErrNotFound, authserver.ErrConflict, jwks.ErrConflict, ErrEvicts, ErrDamaged}
	for _, k := range known {
		if errors.Is(err, k) {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	return nil
}

// timeoutFor is longer for a selector that may match all grants of a client.
func (s *Store) timeoutFor(sel authserver.Selector) time.Duration {
	if sel.ID == "" {
		return bulkTimeoutFactor * s.timeout
	}
	return s.timeout
}
