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
	// wide is how much longer than others a call may take that may concern all grants of a client.
	wide = 12
)

// Errors of [Open].
var (
	// ErrEvicts says that Redis would drop keys when memory is short: sessions, and with them revocations.
	ErrEvicts = errors.New("redisstore: maxmemory-policy has to be noeviction")
	// ErrReplicas says that the client may read from replicas, which lag behind.
	ErrReplicas = errors.New("redisstore: the client must not read from replicas")
)

// Config says where Redis is. A zero value means the default. Printing it shows no keys.
type Config struct {
	// Client is the connection: a redis.Client, a failover or a cluster client. **Required.** It stays the caller's, who closes it.
	// ContextTimeoutEnabled lets a call end with its context; otherwise the client's own timeouts apply. Commands that change
	// something are never sent a second time, whatever MaxRetries is.
	Client redis.UniversalClient

	// SealKeys are the AES-256 keys (32 bytes each) that the signing keys are sealed with, see [jwks.SealedKeyStore]; at least one is
	// **required**. The first seals, all of them open. To change the key, give all processes the new one as second, then as first; when
	// none is left that has the old one first, start one more, then drop the old one: Open seals anew what is not sealed with the first.
	SealKeys [][]byte

	// Prefix begins all keys; default "bearergate:". It has no braces.
	Prefix string

	// Timeout is how long a call may take if its context allows more; default 5 seconds. A Revoke or Grants that names no single
	// grant may take twelve times as long. What is too late fails, and is answered with 503.
	Timeout time.Duration
}

// Format implements [fmt.Formatter]: whatever the verb, no password and no key is printed.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "redisstore.Config") }

// Store is an [authserver.Store] and a [jwks.KeyStore] in Redis. All methods are safe for concurrent use. When Redis can't be
// reached they fail; when it can again they work again. There is nothing to close but the client.
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

// Open makes sure that Redis can be used and that the signing keys in it can be opened. The context is for Open alone. Errors:
// [jwks.ErrSealKey], [jwks.ErrSealed], ErrEvicts, ErrReplicas and those of the connection, all wrapped.
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
	if strings.ContainsAny(cfg.Prefix, "{}") {
		problems = append(problems, errors.New("redisstore: Prefix has a brace, which would bring all keys of a cluster to one node"))
	}
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	s := &Store{client: cfg.Client, prefix: cfg.Prefix, timeout: cfg.Timeout}
	var err error
	if s.keys, err = jwks.NewSealedKeyStore(rawKeys{s}, cfg.SealKeys...); err != nil {
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

// checkEviction asks INFO, which is allowed where CONFIG is not; every master of a cluster.
func (s *Store) checkEviction(ctx context.Context) error {
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return keepsAll(ctx, node) })
		}
		return keepsAll(ctx, s.client)
	})
}

func keepsAll(ctx context.Context, node redis.Cmdable) error {
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

// Format implements [fmt.Formatter]: whatever the verb, no password and no key is printed.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "redisstore.Store") }

// do runs one call within the time that it may take.
func (s *Store) do(ctx context.Context, timeout time.Duration, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := f(ctx)
	for _, ours := range []error{authserver.ErrNotFound, authserver.ErrConflict, jwks.ErrConflict, ErrEvicts, ErrDamaged} {
		if errors.Is(err, ours) {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	return nil
}
