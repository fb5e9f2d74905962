package redisstore

import (
_ "github.com/redis/go-redis/v9"
_ "github.com/bearergate/bearergate/authserver"
_ "github.com/bearergate/bearergate/jwks"
_ "github.com/stretchr/testify/require"
)
