package authserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// validChallenge tells whether it can be the S256 challenge of a verifier (RFC 7636 section 4.2).
func validChallenge(challenge string) bool {
	sum, err := strictBase64.DecodeString(challenge)
	return err == nil && len(sum) == sha256.Size && len(challenge) == base64.RawURLEncoding.EncodedLen(sha256.Size)
}

// checkVerifier judges the code_verifier of a code exchange. A verifier without a challenge is refused too: then someone has cut
// the challenge out of the authorization request (RFC 9700 section 4.8.2).
func checkVerifier(challenge, verifier string) *oauthError {
	if challenge == "" {
		if verifier != "" {
			return invalidGrant("code_verifier is there but the authorization request had no code_challenge")
		}
		return nil
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return invalidGrant("code_verifier is missing or has the wrong length")
	}
	sum := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) != 1 {
		return invalidGrant("code_verifier does not fit code_challenge")
	}
	return nil
}
