package redisstore

// For the fuzz test, and for tests that damage what is in Redis.
var (
	Marshal   = marshal
	Unmarshal = unmarshal
	Entry     = entry
)
