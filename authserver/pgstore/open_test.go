package pgstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver/pgstore"
	"github.com/bearergate/bearergate/jwks"
)

func TestOpenValidatesConfigBeforeConnecting(t *testing.T) {
	unreachable := "postgres://nobody:hunter2@127.0.0.1:1/none"
	for _, row := range []struct {
		name string
		cfg  pgstore.Config
		want string
	}{
		{"no seal key", pgstore.Config{URL: unreachable},
			"pgstore: SealKeys: jwks: a seal key must have 32 bytes: there is none"},
		{"a short key", pgstore.Config{URL: unreachable, SealKeys: [][]byte{sealKey[:16]}}, "key 0 has 16"},
		{"a short second key", pgstore.Config{URL: unreachable, SealKeys: [][]byte{sealKey, nil}}, "key 1 has 0"},
		{"no URL", pgstore.Config{SealKeys: [][]byte{sealKey}}, "URL is empty"},
		{"an invalid URL", pgstore.Config{URL: "postgres://u:hunter2@h:port/", SealKeys: [][]byte{sealKey}},
			"pgstore: URL must look like postgres://user@host/db"},
		{"an invalid mode", pgstore.Config{URL: unreachable + "?default_query_exec_mode=hunter2",
			SealKeys: [][]byte{sealKey}},
			"pgstore: URL must look like postgres://user@host/db"},
		{"a negative timeout", pgstore.Config{URL: unreachable, SealKeys: [][]byte{sealKey}, Timeout: -1},
			"Timeout is negative"},
		{"no server", pgstore.Config{URL: unreachable, SealKeys: [][]byte{sealKey}}, "pgstore: schema"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := pgstore.Open(t.Context(), row.cfg)
			require.ErrorContains(t, err, row.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	_, err := pgstore.Open(t.Context(), pgstore.Config{Timeout: -1})
	require.ErrorIs(t, err, jwks.ErrSealKey)
	assert.ErrorContains(t, err, "URL is empty", "all problems at once")
}

func TestPrintingShowsNoSecret(t *testing.T) {
	cfg := config(t)
	cfg.URL += "&application_name=hunter2"
	for _, v := range []any{cfg, &cfg, open(t, cfg)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			text := fmt.Sprintf(verb, v)
			assert.True(t, strings.HasPrefix(text, "pgstore."), text)
			assert.NotContains(t, text, "hunter2")
		}
	}
}

func TestConcurrentOpen(t *testing.T) {
	cfg := config(t)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 10 {
		wg.Go(func() {
			<-start
			s, err := pgstore.Open(t.Context(), cfg)
			if assert.NoError(t, err) {
				assert.NoError(t, s.Close())
			}
		})
	}
	close(start)
	wg.Wait()
	assert.Equal(t, []string{"2"}, query(t, cfg.URL, "SELECT version FROM "+table(cfg, "schema_version")))

	s := open(t, cfg)
	require.NoError(t, s.Create(t.Context(), grant("a")))
	_, err := open(t, cfg).Grant(t.Context(), "a")
	assert.NoError(t, err, "existing grants stay")
}

func TestLaterSchemaVersion(t *testing.T) {
	cfg := config(t)
	open(t, cfg)
	version := table(cfg, "schema_version")
	query(t, cfg.URL, "UPDATE "+version+" SET version = 7, since = 1")
	open(t, cfg)
	query(t, cfg.URL, "UPDATE "+version+" SET since = 7")
	_, err := pgstore.Open(t.Context(), cfg)
	assert.ErrorIs(t, err, pgstore.ErrSchemaTooNew)
	assert.Equal(t, []string{"7"}, query(t, cfg.URL, "SELECT version FROM "+version), "nothing was changed")
}

func TestReadOnlyServerIsRejected(t *testing.T) {
	cfg := config(t)
	open(t, cfg)
	cfg.URL += "&default_transaction_read_only=on"
	_, err := pgstore.Open(t.Context(), cfg)
	assert.ErrorContains(t, err, "read only")
}

func TestClosedStoreAndCancelledContext(t *testing.T) {
	cfg := config(t)
	s, err := pgstore.Open(t.Context(), cfg)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	assert.ErrorContains(t, s.Create(t.Context(), grant("a")), "pgstore: closed pool")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = pgstore.Open(ctx, cfg)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestSchemaHasNoSequences(t *testing.T) {
	cfg := config(t)
	open(t, cfg)
	relations := "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" +
		" WHERE nspname = $1 AND relkind = $2 ORDER BY 1"
	assert.Equal(t, []string{"grants", "once", "schema_version", "signing_keys"},
		query(t, cfg.URL, relations, cfg.Schema, "r"))
	assert.Empty(t, query(t, cfg.URL, relations, cfg.Schema, "S"))
}
