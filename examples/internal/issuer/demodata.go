package issuer

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/bearergate/bearergate/authserver"
)

// Data is the clients, users and resources of the server. As JSON, it is also the format of the -config file: clients
// and users as in package authserver, and a map from resource names to scopes.
type Data struct {
	Clients   []authserver.Client `json:"clients"`
	Users     []authserver.User   `json:"users"`
	Resources map[string][]string `json:"resources"`
}

// Demo returns the demo data: three clients, two users, and one API, which is also a client. The passwords are public.
func Demo() Data {
	scopes := []string{"api1", "openid", "profile", "email", "phone", "address", "offline_access"}
	person := func(name, full, given, family, phone string) authserver.User {
		return authserver.User{
			Subject: name, Username: name, PasswordHash: authserver.HashPassword(name),
			Claims: map[string]any{
				"name": full, "given_name": given, "family_name": family, "preferred_username": name,
				"email": name + "@example.com", "email_verified": true,
				"phone_number": phone, "phone_number_verified": true,
				"address": map[string]any{
					"street_address": "One Hacker Way", "locality": "Heidelberg", "postal_code": "69118", "country": "Germany",
				},
			},
		}
	}
	return Data{
		Clients: []authserver.Client{
			{
				ID: "mvc client", Name: "MVC client", Secrets: []authserver.Secret{authserver.HashSecret("mvc secret")},
				GrantTypes:   []string{"authorization_code", "refresh_token"},
				RedirectURIs: []string{"http://127.0.0.1:5002/signin-oidc", "http://localhost:5002/signin-oidc"},
				Scopes:       scopes,
				// The ASP.NET client predates PKCE for confidential clients.
				DangerouslyOptionalPKCE: true,
			},
			{
				ID: "spa", Name: "Single-page application",
				GrantTypes:   []string{"authorization_code", "refresh_token"},
				RedirectURIs: []string{"http://127.0.0.1:5003/callback"},
				Origins:      []string{"http://127.0.0.1:5003"},
				Scopes:       scopes,
			},
			{
				ID: "worker", Name: "Nightly worker", Secrets: []authserver.Secret{authserver.HashSecret("worker secret")},
				GrantTypes: []string{"client_credentials"}, Scopes: []string{"api1"},
			},
			{
				// The API itself may introspect tokens and read the revocation list.
				ID: "api1", Name: "API 1", Secrets: []authserver.Secret{authserver.HashSecret("api1 secret")},
				Serves: []string{"api1"},
			},
		},
		Users: []authserver.User{
			person("alice", "Alice Smith", "Alice", "Smith", "+1 555 0100"),
			person("bob", "Bob Smith", "Bob", "Smith", "+1 555 0101"),
		},
		Resources: map[string][]string{"api1": {"api1"}},
	}
}

// Read reads the data from a file.
func Read(path string) (data Data, err error) {
	file, err := os.Open(path)
	if err != nil {
		return Data{}, err
	}
	defer file.Close()
	decoder := json.NewDecoder(io.LimitReader(file, 4<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&data); err != nil {
		return Data{}, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Data{}, fmt.Errorf("%s: there is data after the JSON object", path)
	}
	return data, nil
}
