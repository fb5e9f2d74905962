package authserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// What the parties of a refresh owe one another, in 140 points: number, what it is, what shows it. A point is shown by a check of its
// own below or by tests that are named, with the folder of their package relative to this one; that they are there is checked too.
var acceptance = []struct {
	number int
	what   string
	shown  any // func(*testing.T, *world), or "folder Test" and more of them after commas
}{
	// Refreshing a token.
	{1, "any grant may return a refresh token; client_credentials does not", refreshTokenByGrant},
	{2, "a refresh needs no user: no cookie is sent", func(t *testing.T, w *world) { assert.Equal(t, 200, w.refresh(w.rt()).status) }},
	{3, "steps A to H run end to end, on separate listeners", "../examples TestThreeProcesses"},
	{4, "only G and H are about refreshing; the API takes no part", ". TestRefreshRotates"},
	{5, "H: the server verifies the refresh token", ". TestT6ForgedTokensTouchNothing"},
	{6, "H: the old refresh token is void after the grace, and so is the old access token if that is asked for",
		". TestT4SpentTokenRevokesTheGrant, . TestRevokePreviousAccessToken"},
	{7, "H: new tokens come back", ". TestT1CurrentTokenRotates"},
	{8, "POST /auth/refreshtoken", ". TestJSONAlias"},
	{9, "it takes application/json", ". TestJSONAlias"},
	{10, "grant_type is refresh_token", ". TestJSONAlias"},
	{11, "refresh_token", ". TestJSONAlias"},
	{12, "scope is optional", ". TestJSONAlias"},
	{13, "the refresh token is opaque: any string is taken, none crashes", ". TestT6ForgedTokensTouchNothing"},
	{14, "200 OK", success("status")},
	{15, "Content-Type: application/json;charset=UTF-8", success("Content-Type", "application/json;charset=UTF-8")},
	{16, "Cache-Control: no-store", success("Cache-Control", "no-store")},
	{17, "Pragma: no-cache", success("Pragma", "no-cache")},
	{18, "access_token", member[string]("access_token")},
	{19, "token_type is bearer", func(t *testing.T, w *world) {
		assert.True(t, strings.EqualFold("bearer", w.signIn().str("token_type")))
	}},
	{20, "expires_in is a number of seconds", member[float64]("expires_in")},
	{21, "refresh_token is optional", ". TestNoRefreshTokenWithoutOfflineAccess"},
	{22, "scope", member[string]("scope")},
	{23, "a further response member", ". TestBeforeIssueAddsClaimsAndMembers"},
	{24, "token_type may be another one: the client judges it", "../middleware/authclient TestTokenAnswer"},
	{25, "a wrong grant_type: unsupported_grant_type", refusal("unsupported_grant_type", "grant_type", "nonsense")},
	{26, "an invalid refresh token: invalid_grant", refusal("invalid_grant", "grant_type", "refresh_token", "refresh_token", "4d3f3061e8e049689a586d8dfcba0d08")},
	{27, "grant_type is judged before refresh_token", refusal("unsupported_grant_type", "grant_type", "nonsense", "refresh_token", "bad")},
	{28, "the new tokens are for the user of the refresh token", func(t *testing.T, w *world) {
		_, c := claims(t, w.refresh(w.rt()).str("access_token"))
		assert.Equal(t, "alice-1", c["sub"])
	}},
	{29, "each refresh makes a new access token and a new refresh token", ". TestRefreshRotates"},
	{30, "an access token of 86400 s", lifetime(86400*time.Second, 31536000*time.Second)},
	{31, "a refresh token of 31536000 s", lifetime(86400*time.Second, 31536000*time.Second)},
	{32, "userid as a further member", ". TestBeforeIssueAddsClaimsAndMembers"},
	{33, "the state of an access token has an absolute end", func(t *testing.T, w *world) {
		const lifetime, clocks = 5 * time.Minute, 5 * time.Minute
		token := w.rt()
		assert.Equal(t, w.now().Add(lifetime+clocks), w.row(token).AccessExpiresAt)
		w.advance(time.Minute)
		assert.Equal(t, w.now().Add(lifetime+clocks), w.row(w.refresh(token).str("refresh_token")).AccessExpiresAt)
	}},
	{34, "the state of a refresh token has an absolute end", ". TestT8ExpiredGrants"},
	{35, "the store is an interface", "boltstore TestStore"},
	{36, "what makes tokens can be replaced", ". TestFailedRequestsSpendNothing"},
	{37, "no refresh_token: invalid_request, not 500", refusal("invalid_request", "grant_type", "refresh_token")},
	{38, "a code of 10 minutes is possible; the implicit grant is not", codeLifetime},

	// What a refresh token is for, and who takes part.
	{39, "an endpoint of the application may return new tokens", ". TestIssueTokens"},
	{40, "when asked to: an ID token and a refresh token", ". TestIssueTokens"},
	{41, "otherwise none: nothing is issued without a call", ". TestIssueTokens"},
	{42, "a changed credential ends the old grants", ". TestIssueTokens"},
	{43, "access tokens are short-lived", func(t *testing.T, w *world) {
		assert.Equal(t, 5*time.Minute, authserver.NewConfig(issuer).AccessTokenLifetime)
	}},
	{44, "after expiry the client refreshes without a login", ". TestAccessTokenIsGoodForAResourceServer"},
	{45, "an expired refresh token: invalid_grant", ". TestT8ExpiredGrants"},
	{46, "browser applications: CORS for each client's origins, without credentials", ". TestCORS"},
	{47, "rotation, reuse detection, an absolute end", ". TestT4SpentTokenRevokesTheGrant"},
	{48, "a refresh gives an access token and an ID token without credentials of the user", ". TestRefreshRotates"},
	{49, "purpose 1: to limit misuse", ". TestModelOfTheStateMachine"},
	{50, "purpose 2: the latest information", ". TestRefreshSeesTheUserAndTheClientAsTheyAreNow"},
	{51, "a refresh token lives longer than an access token, or the configuration is refused", ". TestNewRefusesBadConfiguration"},
	{52, "authorization server and resource server are separate", "../examples TestThreeProcesses"},
	{53, "the resource server issues no tokens", issuesNothing},
	{54, "the resource server verifies by itself, and goes on when the server is down", "../jwks TestRemoteOutage"},
	{55, "A: getting a token may take several requests", ". TestAuthorizeAnswers"},
	{56, "B: the client is verified", ". TestClientAuthentication"},
	{57, "B: resource and scope are verified", ". TestAuthorizeRefusals"},
	{58, "B: both tokens have an end of their own", ". TestPerClientTerms"},
	{59, "B: the expiry and further attributes are returned", ". TestCodeFlowGivesAllTokens"},
	{60, "C: the access token goes to the resource server", "../middleware/authclient TestWhereTheTokenGoes"},
	{61, "D: validated, then answered; again and again until expiry", ". TestAccessTokenIsGoodForAResourceServer"},
	{62, "E: near expiry the client refreshes first", "../middleware/authclient TestMargin"},
	{63, "E: otherwise it sends the token", "../middleware/authclient TestMargin"},
	{64, "F: 401 invalid_token, and the handler is not run", "../middleware TestPolicies"},
	{65, "G: the refresh token and client authentication are enough", ". TestRefreshRotates"},
	{66, "H: verified, a new access token, and a new refresh token", ". TestRefreshRotates"},
	{67, "a refresh token goes to the authorization server only", "../middleware/authclient TestRedirects"},
	{68, "the client may check the expiry itself", "../middleware/authclient TestMargin"},
	{69, "or the authorization server does: introspection of an expired token is inactive", ". TestIntrospection"},
	{70, "an ID token proves who signed in", ". TestCodeFlowGivesAllTokens"},

	// The token endpoint: issuing and refreshing.
	{71, "both go to the token endpoint", ". TestRefreshRotates"},
	{72, "both have the same form", sameForm},
	{73, "status 200", success("status")},
	{74, "Pragma: no-cache, always", ". TestTokenEndpointHygiene"},
	{75, "Cache-Control: no-store, on errors too", ". TestTokenEndpointHygiene"},
	{76, "JSON", success("Content-Type", "application/json;charset=UTF-8")},
	{77, "strings are escaped", ". TestBeforeIssueAddsClaimsAndMembers"},
	{78, "numbers are numbers", member[float64]("expires_in")},
	{79, "all members at the top level", ". TestBeforeIssueAddsClaimsAndMembers"},
	{80, "a refresh token is not always issued", ". TestNoRefreshTokenWithoutOfflineAccess"},
	{81, "implicit issues none: there is no implicit", ". TestAuthorizeRefusals"},
	{82, "client_credentials issues none", ". TestClientCredentialsGiveNoRefreshToken"},
	{83, "failed client authentication or a bad request: an error", ". TestClientAuthentication"},
	{84, "clients ignore unknown members", "../middleware/authclient TestTokenAnswer"},
	{85, "sizes: refresh tokens are 76 bytes, as the package says", func(t *testing.T, w *world) { assert.Len(t, w.rt(), 76) }},
	{86, "access_token is required", member[string]("access_token")},
	{87, "token_type is required", member[string]("token_type")},
	{88, "expires_in is recommended", member[float64]("expires_in")},
	{89, "scope, when it is another than asked for", ". TestScopeOfTheRefreshTokenNeverChanges"},
	{90, "refresh_token is optional", ". TestNoRefreshTokenWithoutOfflineAccess"},
	{91, "a refresh may widen an access token that was narrowed", ". TestScopeOfTheRefreshTokenNeverChanges"},
	{92, "not possible without a refresh token", refusal("invalid_request", "grant_type", "refresh_token", "scope", "api1")},
	{93, "clients may refresh by themselves", "../middleware/authclient TestMargin"},
	{94, "a refresh token is bound to its client; a wrong one harms nothing", ". TestT7OtherClientsTokenIsRefusedAndUnharmed"},
	{95, "a new refresh token; the client uses that", ". TestT1CurrentTokenRotates"},
	{96, "the server may revoke the old one", ". TestT4SpentTokenRevokesTheGrant"},
	{97, "the new refresh token has the scope of the old one", ". TestScopeOfTheRefreshTokenNeverChanges"},
	{98, "POST to the token endpoint", ". TestTokenEndpointHygiene"},
	{99, "grant_type is required", refusal("invalid_request", "refresh_token", "x")},
	{100, "refresh_token is required", refusal("invalid_request", "grant_type", "refresh_token")},
	{101, "scope is optional", func(t *testing.T, w *world) { assert.Equal(t, 200, w.refresh(w.rt()).status) }},
	{102, "nothing that was not granted: invalid_scope", func(t *testing.T, w *world) { w.refused(w.refresh(w.rt(), "scope", "files:read"), "invalid_scope") }},
	{103, "no scope: as before", func(t *testing.T, w *world) { assert.Equal(t, allScope, w.refresh(w.rt()).str("scope")) }},
	{104, "confidential clients authenticate", func(t *testing.T, w *world) {
		w.refused(w.form("/token", "grant_type", "refresh_token", "refresh_token", w.rt(), "client_id", mvcID), "invalid_client")
	}},
	{105, "credentials that are there are checked, for a public client too", func(t *testing.T, w *world) {
		w.refused(w.do(as(formRequest("/token", "grant_type", "refresh_token", "refresh_token", "x"), "spa", "guess")), "invalid_client")
	}},
	{106, "the refresh token belongs to the client", ". TestT7OtherClientsTokenIsRefusedAndUnharmed"},
	{107, "the refresh token is valid", ". TestT6ForgedTokensTouchNothing"},
	{108, "then the answer is like any other", sameForm},

	// A web client that keeps its tokens, and its API.
	{109, "offline_access gates the refresh token, also later", ". TestRefreshSeesTheUserAndTheClientAsTheyAreNow"},
	{110, "AccessTokenLifetime of a client: exp - iat = expires_in = 60", ". TestPerClientTerms"},
	{111, "the scopes of a client", ". TestAuthorizeRefusals"},
	{112, "exp can be read in the JWT", ". TestCodeFlowGivesAllTokens"},
	{113, "an API that tolerates 300 s takes an expired token: ours tolerates little and says so", "../middleware TestDefaults"},
	{114, "keys by discovery from the authority", "../jwks TestDiscovery"},
	{115, "http only when asked for", ". TestNewRefusesBadConfiguration"},
	{116, "the audience api1 is enforced", "../middleware TestPolicies"},
	{117, "ClockSkew of a minute: accepted until exp + 60 s", "../middleware TestBoundary"},
	{118, "RequireExpirationTime", "../middleware TestPolicies"},
	{119, "after expiry the call is 401", "../middleware TestPolicies"},
	{120, "discovery from an address with a slash at the end", func(t *testing.T, w *world) {
		assert.Equal(t, 200, w.do(httptest.NewRequest("GET", issuer+"//.well-known/openid-configuration", nil)).status)
	}},
	{121, "an error of discovery is shown", discoveryErrors},
	{122, "the refresh goes to the token_endpoint of discovery", ". TestDiscoveryDocuments"},
	{123, "the saved refresh token is used", "../middleware/authclient TestSessionFromTheStore"},
	{124, "the client id has a space", ". TestClientAuthentication"},
	{125, "the client secret has a space, sent as + or %20", ". TestClientAuthentication"},
	{126, "a refresh for less than the grant returns a refresh token with all of it", fewerScopes},
	{127, "grant_type and refresh_token", ". TestRefreshRotates"},
	{128, "an error is shown as its OAuth code", ". TestStockOAuth2ErrorsAreReadable"},
	{129, "expires_at is now + expires_in", "../middleware/authclient TestLifetimeCountsFromWhenTheRequestWasSent"},
	{130, "id_token, access_token, refresh_token, expires_at are saved", "../middleware/authclient TestFileStoreKeepsAToken"},
	{131, "expires_at is ISO 8601 in UTC", "../middleware/authclient TestFileStoreKeepsAToken"},
	{132, "a refresh returns id_token and refresh_token, because the client overwrites all four", fewerScopes},
	{133, "the principal is kept, the tokens are replaced", "../middleware/authclient TestWhatTheAnswerDoesNotMentionStays"},
	{134, "the new access token is returned", ". TestRefreshRotates"},
	{135, "the API is called with the saved token", "../middleware/authclient TestWhereTheTokenGoes"},
	{136, "401: renew and replay, once", "../examples/internal/webclient TestA401IsRenewedAndReplayedOnce"},
	{137, "another failure shows its reason", "../examples/internal/webclient TestOtherFailuresShowStatusAndReason"},
	{138, "success shows the content", "../examples TestThreeProcesses"},
	{139, "discovery is not asked for at each request", "../jwks TestDiscoveryRemembers"},
	{140, "two tabs at expiry both succeed", "../examples/internal/webclient TestTwoTabsAtExpiryBothSucceed"},
}

func TestAcceptance(t *testing.T) {
	require.Len(t, acceptance, 140)
	for i, point := range acceptance {
		require.Equal(t, i+1, point.number)
		t.Run(fmt.Sprintf("%d %s", point.number, point.what), func(t *testing.T) {
			switch shown := point.shown.(type) {
			case func(*testing.T, *world):
				shown(t, newWorld(t))
			case string:
				for one := range strings.SplitSeq(shown, ", ") {
					folder, name, _ := strings.Cut(one, " ")
					assert.True(t, testExists(t, folder, name), "there is no %s in %s", name, folder)
				}
			default:
				t.Errorf("nothing shows it")
			}
		})
	}
}

func testExists(t *testing.T, folder, name string) bool {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

// rt is the refresh token of a new grant with the scopes of the demo.
func (w *world) rt() string { return w.signIn().str("refresh_token") }

// success checks a header, or the status, of a successful answer.
func success(name string, want ...string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		for _, r := range []reply{w.signIn(), w.refresh(w.rt())} {
			if assert.Equal(t, http.StatusOK, r.status); name != "status" {
				assert.Equal(t, want, r.header.Values(name))
			}
		}
	}
}

// member checks that a member has a value of the type.
func member[T comparable](name string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		for _, r := range []reply{w.signIn(), w.refresh(w.rt())} {
			v, ok := r.json[name].(T)
			assert.True(t, ok)
			assert.NotZero(t, v)
		}
	}
}

// refusal checks the error of a request by the mvc client.
func refusal(code string, pairs ...string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) { w.refused(w.mvc("/token", pairs...), code) }
}

func refreshTokenByGrant(t *testing.T, w *world) {
	assert.NotEmpty(t, w.signIn().str("refresh_token"))
	r := w.do(as(formRequest("/token", "grant_type", "client_credentials"), "worker", "worker secret"))
	assert.Equal(t, http.StatusOK, r.status)
	assert.NotContains(t, r.json, "refresh_token")
}

func lifetime(access, refresh time.Duration) func(*testing.T, *world) {
	return func(t *testing.T, _ *world) {
		w := newWorld(t, func(w *world) {
			w.cfg.AccessTokenLifetime, w.cfg.RefreshTokenLifetime, w.cfg.RefreshIdleLifetime = access, refresh, refresh
		})
		r := w.signIn()
		assert.Equal(t, access.Seconds(), r.json["expires_in"])
		w.advance(refresh - time.Millisecond)
		assert.Equal(t, http.StatusOK, w.refresh(r.str("refresh_token")).status)
		w.advance(time.Millisecond)
		w.refused(w.refresh(r.str("refresh_token")), "invalid_grant")
	}
}

func codeLifetime(t *testing.T, _ *world) {
	w := newWorld(t, func(w *world) { w.cfg.CodeLifetime = 10 * time.Minute })
	code := w.code()
	w.advance(10*time.Minute - time.Millisecond)
	assert.Equal(t, http.StatusOK, w.exchange(code).status)
	a := w.answer(w.do(httptest.NewRequest("GET", authorizeURL("response_type", "token"), nil)))
	assert.Equal(t, "unsupported_response_type", a.Get("error"))
}

func sameForm(t *testing.T, w *world) {
	names := func(r reply) (all []string) {
		for name := range r.json {
			all = append(all, name)
		}
		return all
	}
	first := w.signIn()
	assert.ElementsMatch(t, names(first), names(w.refresh(first.str("refresh_token"))))
}

// fewerScopes is a refresh that asks for less than was granted.
func fewerScopes(t *testing.T, w *world) {
	r := w.refresh(w.rt(), "scope", "api1 openid profile email phone address")
	require.Equal(t, http.StatusOK, r.status, r.body)
	assert.Equal(t, "api1 openid profile email phone address", r.str("scope"))
	for _, name := range []string{"id_token", "access_token", "refresh_token"} {
		assert.NotEmpty(t, r.str(name), name)
	}
	again := w.refresh(r.str("refresh_token"))
	assert.Equal(t, allScope, again.str("scope"), "the refresh token still has all that was granted")
}

// issuesNothing asks a resource server for tokens in every way that the token endpoint knows, and looks for anything in its package
// that could sign.
func issuesNothing(t *testing.T, w *world) {
	cfg := middleware.NewConfig(issuer, "api1")
	cfg.Keys, cfg.Now = w.cfg.Keys, w.now
	api, err := middleware.New(cfg)
	require.NoError(t, err)
	h := api.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("the resource")) }))
	first := w.signIn()
	for name, pairs := range map[string][]string{
		"refresh token": {"grant_type", "refresh_token", "refresh_token", first.str("refresh_token")},
		"code":          {"grant_type", "authorization_code", "code", w.code(), "redirect_uri", mvcBack, "code_verifier", verifier},
		"credentials":   {"grant_type", "client_credentials"},
	} {
		for token, want := range map[string]int{"": 401, first.str("refresh_token"): 401, first.str("access_token"): 200} {
			r := as(formRequest("/token", pairs...), mvcID, mvcKey)
			if r.Header.Del("Authorization"); token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			assert.Equal(t, want, rec.Code, name)
			assert.NotContains(t, rec.Body.String(), "token\":", name)
			assert.Empty(t, rec.Header().Values("Set-Cookie"), name)
		}
	}
	assert.Equal(t, http.StatusOK, w.refresh(first.str("refresh_token")).status, "the resource server has spent nothing")

	files, err := filepath.Glob("../middleware/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	signs := regexp.MustCompile(`\.Sign(ed)?(String|ingString)?\(|NewWithClaims|PrivateKey|jwks\.NewRotator`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Empty(t, signs.FindString(string(text)), file)
	}
}

// discoveryErrors lets discovery fail in each of the ways that a client meets, and reads what it is told.
func discoveryErrors(t *testing.T, w *world) {
	answer := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		})
	}
	for want, h := range map[string]http.Handler{
		"status 503":                        answer(503, ""),
		"status 404":                        answer(404, ""),
		`issuer is "https://login.example"`: w.srv, // the right document at the wrong address
		"names no issuer":                   answer(200, `{}`),
		"not a JSON object":                 answer(200, `<html>`),
	} {
		s := httptest.NewServer(h)
		remote, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: s.URL})
		require.NoError(t, err)
		err = remote.Ready(t.Context())
		assert.ErrorIs(t, err, jwks.ErrUnavailable)
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, s.URL+"/.well-known/openid-configuration", "it says where")
		assert.NoError(t, remote.Close())
		s.Close()
	}
	gone := httptest.NewServer(answer(200, `{}`))
	gone.Close()
	remote, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: gone.URL})
	require.NoError(t, err)
	assert.ErrorContains(t, remote.Ready(t.Context()), "refused")
	assert.NoError(t, remote.Close())
}
