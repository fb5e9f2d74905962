package issuer

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// A passwordChange is the body of POST /account/password.
type passwordChange struct {
	Password    string `json:"password"`     // the current one
	NewPassword string `json:"new_password"` // at least eight characters
	// ReturnSecureToken requests new tokens in the answer, since the old ones are revoked.
	ReturnSecureToken bool `json:"returnSecureToken"`
}

// minPassword is the minimum length of a new password in bytes (NIST SP 800-63B, Section 3.1.1.2, has 8 for a password
// that is not the only factor).
const minPassword = 8

// changePassword is an endpoint of the application, for users who are signed in. It revokes every other grant of the
// user. With returnSecureToken the caller gets new tokens.
func (i *Issuer) changePassword(w http.ResponseWriter, r *http.Request) {
	token, _ := middleware.FromContext(r.Context())
	w.Header().Set("Cache-Control", "no-store")
	var change passwordChange
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&change); err != nil {
		writeError(w, http.StatusBadRequest, "invalid_request",
			"the body must be a JSON object with password, new_password and optionally returnSecureToken")
		return
	}
	if len(change.NewPassword) < minPassword || len(change.NewPassword) > 1024 {
		writeError(w, http.StatusBadRequest, "invalid_request", "the new password must have 8 to 1024 characters")
		return
	}
	user, err := i.Users.User(r.Context(), token.Subject())
	if err == nil {
		// A stolen access token must not be enough to take over the account.
		user, err = i.Users.Authenticate(r.Context(), user.Username, change.Password)
	}
	if err != nil {
		writeError(w, http.StatusForbidden, "access_denied", "the current password is wrong")
		return
	}
	user.PasswordHash = authserver.HashPassword(change.NewPassword)
	user.SignInAgainAfter = time.Now()
	if err := i.Users.Set(*user); err != nil {
		writeError(w, http.StatusInternalServerError, "server_error", "the password could not be changed")
		return
	}
	if !change.ReturnSecureToken {
		if _, err := i.Revoke(r.Context(), authserver.Selector{Subject: user.Subject}, "password"); err != nil {
			writeError(w, http.StatusServiceUnavailable, "temporarily_unavailable",
				"the password was changed, but existing grants could not be revoked")
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	tokens, err := i.IssueTokens(r.Context(), authserver.IssueRequest{
		ClientID: token.ClientID(), Subject: user.Subject, Scopes: token.Scopes(), EndOthers: true,
	})
	switch {
	case errors.Is(err, authserver.ErrAccessDenied), errors.Is(err, authserver.ErrNotFound):
		writeError(w, http.StatusForbidden, "access_denied", "the password was changed, but this client gets no tokens")
	case err != nil:
		writeError(w, http.StatusServiceUnavailable, "temporarily_unavailable",
			"the password was changed, but new tokens could not be issued")
	default:
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		_ = json.NewEncoder(w).Encode(tokens)
	}
}

func writeError(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
}

// accountAuth protects the endpoints of an account with access tokens of this server.
func accountAuth(issuer string, resources map[string][]string, keys *jwks.Rotator) (*middleware.Bearer, error) {
	audiences := []string{issuer}
	for name := range resources {
		audiences = append(audiences, name)
	}
	cfg := middleware.NewConfig(issuer, audiences...)
	cfg.Issuer.Keys = keys
	cfg.ClockSkew = 0 // the same clock signs and validates
	cfg.Issuer.Profile = middleware.RFC9068
	return middleware.New(cfg)
}
