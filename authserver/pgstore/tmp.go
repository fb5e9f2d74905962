package pgstore

import (
_ "github.com/jackc/pgx/v5/pgxpool"
_ "github.com/bearergate/bearergate/authserver"
_ "github.com/bearergate/bearergate/jwks"
_ "github.com/stretchr/testify/require"
)
