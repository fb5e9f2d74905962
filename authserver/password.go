package authserver

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// 19 MiB and two passes: the minimum of OWASP's password storage cheat sheet; about 20 ms on one core.
const (
	argonTime, argonMemory, argonThreads = 2, 19 * 1024, 1
	argonKey, argonSalt                  = 32, 16
)

// HashPassword returns the argon2id hash of a password with a random salt, in the usual form
// $argon2id$v=19$m=…,t=…,p=…$salt$hash. [UserList] accepts bcrypt hashes ($2a$, $2b$, $2y$) as well.
func HashPassword(password string) string {
	salt := make([]byte, argonSalt)
	rand.Read(salt) // never fails: crypto/rand ends the program instead
	return argonHash(password, salt)
}

func argonHash(password string, salt []byte) string {
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

type argonParams struct {
	time, memory uint32
	threads      uint8
	salt, key    []byte
}

// parseArgon reads a PHC string. Without the limits a bad configuration could cost gigabytes for each login.
func parseArgon(hash string) (p argonParams, ok bool) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, false
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); n != 3 || err != nil {
		return p, false
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	p.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	return p, err1 == nil && err2 == nil && len(p.salt) >= 8 && len(p.key) >= 16 && len(p.key) <= 64 &&
		p.memory >= 8 && p.memory <= 1<<20 && p.time >= 1 && p.time <= 64 && p.threads >= 1
}

func validPasswordHash(hash string) bool {
	if _, ok := parseArgon(hash); ok {
		return true
	}
	_, err := bcrypt.Cost([]byte(hash))
	return err == nil
}

func checkPassword(hash, password string) bool {
	if p, ok := parseArgon(hash); ok {
		size := uint32(len(p.key)) //nolint:gosec // at most 64
		key := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, size)
		return subtle.ConstantTimeCompare(key, p.key) == 1
	}
	return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
}
