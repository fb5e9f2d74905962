package redisstore

// For the fuzz test.
var (
	Marshal   = marshal
	Unmarshal = unmarshal
)
