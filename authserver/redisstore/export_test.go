package redisstore

// For the fuzz target, and for tests that write damaged data.
var (
	EncodeRow   = encodeRow
	DecodeRow   = decodeRow
	EncodeEntry = encodeEntry
)
