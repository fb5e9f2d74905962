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
	Password    string `json:"password"`     // the present one
	NewPassword string `json:"new_password"` // eight characters or more
	// ReturnSecureToken asks for new tokens in the answer: those that the caller has stem from the old password.
	ReturnSecureToken bool `json:"returnSecureToken"`
}

// minPassword is the least length of a new password, in bytes (NIST SP 800-63B §3.1.1.2 has 8 for a password beside others).
const minPassword = 8

// changePassword is an endpoint of the application itself, for users who are signed in. Every other session of the user
// ends; with returnSecureToken the caller goes on with a new token set.
func (i *Issuer) changePassword(w http.ResponseWriter, r *http.Request) {
	token, _ := middleware.FromContext(r.Context())
	w.Header().Set("Cache-Control", "no-store")
	var change passwordChange
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&change); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the body is not the JSON object that is expected")
		return
	}
	if len(change.NewPassword) < minPassword || len(change.NewPassword) > 1024 {
		refuse(w, http.StatusBadRequest, "invalid_request", "the new password has fewer than 8 characters, or too many")
		return
	}
	user, err := i.Users.User(r.Context(), token.Subject())
	if err == nil {
		// A stolen access token alone must not be enough to take the account over.
		user, err = i.Users.Authenticate(r.Context(), user.Username, change.Password)
	}
	if err != nil {
		refuse(w, http.StatusForbidden, "access_denied", "the present password is another one")
		return
	}
	user.PasswordHash = authserver.HashPassword(change.NewPassword)
	user.SignInAgainAfter = time.Now()
	if err := i.Users.Set(*user); err != nil {
		refuse(w, http.StatusInternalServerError, "server_error", "the password could not be changed")
		return
	}
	if !change.ReturnSecureToken {
		if _, err := i.Revoke(r.Context(), authserver.Selector{Subject: user.Subject}, "password"); err != nil {
			refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable", "the password is changed, but the other sessions could not be ended")
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
		refuse(w, http.StatusForbidden, "access_denied", "the password is changed, but there are no tokens for this client")
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable", "the password is changed, but the new tokens could not be made")
	default:
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		_ = json.NewEncoder(w).Encode(tokens)
	}
}

func refuse(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
}

// account protects the endpoints of the account with the tokens that this very server signs.
func account(issuer string, resources map[string][]string, keys *jwks.Rotator) (*middleware.Bearer, error) {
	audiences := []string{issuer}
	for name := range resources {
		audiences = append(audiences, name)
	}
	cfg := middleware.NewConfig(issuer, audiences...)
	cfg.Issuer.Keys = keys
	cfg.ClockSkew = 0 // the same clock signs and judges
	cfg.Issuer.Profile = middleware.RFC9068
	return middleware.New(cfg)
}
