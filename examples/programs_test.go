package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/examples/internal/browser"
)

// binaries builds every example program once.
var binaries = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "examples")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", folder, "./...").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return folder, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder, err := binaries(); err == nil {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

// A process is a running program.
type process struct {
	cmd    *exec.Cmd
	url    string
	stderr *bytes.Buffer
	stdout *bytes.Buffer
	exited chan struct{}
}

// launch starts a program and waits until it says that it accepts connections.
func launch(t *testing.T, program string, args ...string) *process {
	t.Helper()
	folder, err := binaries()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(filepath.Join(folder, program), args...), stderr: new(bytes.Buffer), stdout: new(bytes.Buffer), exited: make(chan struct{})}
	p.cmd.Stderr = p.stderr
	pipe, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.exited })
	listening := make(chan string, 1)
	go func() {
		defer close(p.exited)
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			fmt.Fprintln(p.stdout, lines.Text())
			if url, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
				listening <- url
			}
		}
		_ = p.cmd.Wait()
	}()
	select {
	case p.url = <-listening:
	case <-p.exited:
		require.Fail(t, program+" ended", p.stderr.String())
	case <-time.After(20 * time.Second):
		require.Fail(t, program+" does not listen", p.stderr.String())
	}
	return p
}

// stop sends a signal and returns the exit code.
func (p *process) stop(t *testing.T, signal os.Signal) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(signal))
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
		require.Fail(t, "still running five seconds after "+signal.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// run starts a program that ends by itself.
func run(t *testing.T, program string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	folder, err := binaries()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(folder, program), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	require.NoError(t, ctx.Err(), "%s did not end by itself", program)
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestHelpListsTheFlagsWithTheirDefaults(t *testing.T) {
	for program, flags := range map[string]map[string]string{
		"api1": {
			"addr": `"127.0.0.1:5001"`, "issuer": `"http://127.0.0.1:5000"`, "audience": `"api1"`, "skew": "1m0s", "require-exp": "true",
			"required-scope": "", "algs": "", "types": "", "profile": "", "realm": `"api1"`, "cors-origin": "",
			"drain": "", "revocation-list": "", "revocation-list-client": `"api1"`, "when-stale": `"reject"`,
		},
		"authserver": {
			"addr": `"127.0.0.1:5000"`, "issuer": `"http://127.0.0.1:5000"`, "data": "", "access-token-lifetime": "1m0s",
			"refresh-token-lifetime": "720h0m0s", "refresh-grace": "10s", "alg": `"ES256"`, "key-rotation": "24h0m0s", "config": "",
			"drain": "",
		},
		"webclient": {
			"addr": `"127.0.0.1:5002"`, "issuer": `"http://127.0.0.1:5000"`, "api": `"http://127.0.0.1:5001"`,
			"client-id": `"mvc client"`, "client-secret": `"mvc secret"`,
		},
		"demo": {"once": ""},
	} {
		t.Run(program, func(t *testing.T) {
			code, stdout, stderr := run(t, program, "-h")
			assert.Equal(t, 0, code)
			assert.Empty(t, stderr)
			for flag, value := range flags {
				described := regexp.MustCompile(`(?m)^  -` + regexp.QuoteMeta(flag) + `\b.*\n\s+(.*)$`).FindStringSubmatch(stdout)
				if !assert.NotNil(t, described, "-%s is listed", flag) {
					continue
				}
				if value != "" {
					assert.Contains(t, described[1], "(default "+value+")", "-%s", flag)
				}
			}
		})
	}
}

func TestABadFlagEndsWithOneLineThatNamesIt(t *testing.T) {
	// What a program finds out only when it has its port must not depend on who has the usual one.
	const free = "127.0.0.1:0"
	anyPort := map[string][]string{"api1": {"-addr", free}, "authserver": {"-addr", free}, "webclient": {"-addr", free},
		"demo": {"-authserver-addr", free, "-api-addr", free, "-client-addr", free}}
	for _, row := range []struct {
		program string
		args    []string
		code    int
		names   string
	}{
		{"api1", []string{"-colour=red"}, 2, "-colour"},
		{"api1", []string{"-skew", "soon"}, 2, "-skew"},
		{"api1", []string{"-skew", "-1s"}, 2, "-skew"},
		{"api1", []string{"-algs", "HS256"}, 2, "-algs"},
		{"api1", []string{"-algs", "none"}, 2, "-algs"},
		{"api1", []string{"-algs", "RS255"}, 2, "-algs"},
		{"api1", []string{"-issuer", "http://issuer.example"}, 2, "-issuer"},
		{"api1", []string{"-issuer", ""}, 2, "-issuer"},
		{"api1", []string{"-audience", ""}, 2, "-audience"},
		{"api1", []string{"-profile", "spring"}, 2, "-profile"},
		{"api1", []string{"-addr", "nowhere"}, 2, "-addr"},
		{"api1", []string{"-addr", "127.0.0.1:99999"}, 2, "-addr"},
		{"api1", []string{"-cors-origin", "foo"}, 2, "-cors-origin"},
		{"api1", []string{"-required-scope", `a"b`}, 2, "-required-scope"},
		{"api1", []string{"-types", ",,"}, 2, "-types"},
		{"api1", []string{"-drain", "-1s"}, 2, "-drain"},
		{"api1", []string{"-revocation-list", "-when-stale", "perhaps"}, 2, "-when-stale"},
		{"api1", []string{"-revocation-list", "-skew", "6m"}, 2, "-skew"},
		{"api1", []string{"-revocation-list", "-revocation-list-client", ""}, 2, "-revocation-list-client"},
		{"api1", []string{"-revocation-list-client", "api1"}, 2, "-revocation-list-client"},
		{"api1", []string{"-when-stale", "accept"}, 2, "-when-stale"},
		{"api1", []string{"extra"}, 2, `"extra"`},
		{"authserver", []string{"-colour"}, 2, "-colour"},
		{"authserver", []string{"-alg", "HS256"}, 2, "-alg"},
		{"authserver", []string{"-alg", "none"}, 2, "-alg"},
		{"authserver", []string{"-access-token-lifetime", "0s"}, 2, "-access-token-lifetime"},
		{"authserver", []string{"-refresh-token-lifetime", "30s"}, 2, "-refresh-token-lifetime"},
		{"authserver", []string{"-refresh-grace", "2m"}, 2, "-refresh-grace"},
		{"authserver", []string{"-key-rotation", "-1h"}, 2, "-key-rotation"},
		{"authserver", []string{"-issuer", "http://issuer.example"}, 2, "-issuer"},
		{"authserver", []string{"-config", "/does/not/exist"}, 2, "-config"},
		{"authserver", []string{"-drain", "2m"}, 2, "-drain"},
		{"authserver", []string{"-data", "/dev/null/data"}, 2, "-data"},
		{"webclient", []string{"-colour"}, 2, "-colour"},
		{"webclient", []string{"-issuer", "nowhere"}, 2, "-issuer"},
		{"webclient", []string{"-api", "nowhere"}, 2, "-api"},
		{"webclient", []string{"-client-id", ""}, 2, "-client-id"},
		{"webclient", []string{"-issuer", "http://login.example"}, 2, "-issuer"},
		{"webclient", []string{"-api", "http://api.example"}, 2, "-api"},
		{"demo", []string{"-colour"}, 2, "-colour"},
		{"demo", []string{"-client-addr", "nonsense"}, 2, "-client-addr"},
		{"demo", []string{"-api-addr", "nonsense"}, 2, "-api-addr"},
		{"demo", []string{"-skews", "1s,2s"}, 2, "-skews"},
		{"expiry", []string{"-svg", "/dev/null/x"}, 2, "-svg"},
		{"demo", []string{"-once=perhaps"}, 2, "-once"},
	} {
		t.Run(row.program+" "+strings.Join(row.args, " "), func(t *testing.T) {
			code, stdout, stderr := run(t, row.program, slices.Concat(anyPort[row.program], row.args)...)
			assert.Equal(t, row.code, code)
			assert.Empty(t, stdout)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), "one line: %s", stderr)
			assert.Contains(t, stderr, row.names)
		})
	}
}

func TestAPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for program, flag := range map[string]string{"api1": "-addr", "authserver": "-addr", "webclient": "-addr", "demo": "-client-addr"} {
		t.Run(program, func(t *testing.T) {
			args := []string{flag, taken.Addr().String()}
			if program == "demo" {
				args = append(args, "-authserver-addr", "127.0.0.1:0", "-api-addr", "127.0.0.1:0")
			}
			code, _, stderr := run(t, program, args...)
			assert.Equal(t, 1, code)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), "one line: %s", stderr)
			assert.Contains(t, stderr, taken.Addr().String())
		})
	}
}

func TestSignalsEndAProgramCleanly(t *testing.T) {
	for _, program := range []string{"api1", "authserver", "webclient"} {
		for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(program+" "+signal.String(), func(t *testing.T) {
				t.Parallel() // each waits for its idle connection
				p := launch(t, program, "-addr", "127.0.0.1:0")
				// Browsers open connections in advance; one that never asks must not keep the program.
				idle, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
				require.NoError(t, err)
				defer idle.Close()
				assert.Equal(t, 0, p.stop(t, signal))
				assert.Empty(t, p.stderr.String())
				assert.Regexp(t, `^listening on http://127\.0\.0\.1:\d+\n$`, p.stdout.String())
			})
		}
	}
}

// A request that is under way when the signal comes is answered; nothing new is accepted.
func TestASignalLetsARequestFinish(t *testing.T) {
	t.Parallel()
	p := launch(t, "authserver", "-addr", "127.0.0.1:0")
	addr := strings.TrimPrefix(p.url, "http://")
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	const form = "grant_type=client_credentials&scope=api1"
	_, err = fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		addr, base64.StdEncoding.EncodeToString([]byte("worker:worker+secret")), len(form))
	require.NoError(t, err)
	answers := bufio.NewReader(conn)
	line, err := answers.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line, "the server waits for the body")
	_, err = answers.Discard(2)
	require.NoError(t, err)

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, 3*time.Second, 20*time.Millisecond, "nothing new is accepted")
	_, err = io.WriteString(conn, form)
	require.NoError(t, err)
	response, err := http.ReadResponse(answers, nil)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode, string(body))
	assert.Contains(t, string(body), "access_token")
	<-p.exited
	assert.Zero(t, p.cmd.ProcessState.ExitCode())
	assert.NotRegexp(t, secretsInLogs, p.stderr.String())
}

// With -revocation-list Api1 is ready once it has read the list. That needs the right secret, from the environment.
func TestApi1ReadsTheRevocationList(t *testing.T) {
	server := launch(t, "authserver", "-addr", "127.0.0.1:0")
	for secret, want := range map[string]int{"": http.StatusOK, "api1 secret": http.StatusOK, "another": http.StatusServiceUnavailable} {
		t.Setenv("API1_SECRET", secret)
		api := launch(t, "api1", "-addr", "127.0.0.1:0", "-issuer", server.url, "-revocation-list")
		status, body := get(t, api.url+"/readyz") // which waits for it
		assert.Equal(t, want, status, body)
		status, _ = get(t, api.url+"/healthz")
		assert.Equal(t, http.StatusOK, status)
		assert.Zero(t, api.stop(t, syscall.SIGTERM))
		assert.NotRegexp(t, secretsInLogs, api.stderr.String())
		assert.Equal(t, want != http.StatusOK, strings.Contains(api.stderr.String(), "the client may not read the list"))
	}
}

// secretsInLogs matches what a log must never hold: JWTs, refresh tokens and codes, and the demo's secrets.
var secretsInLogs = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}|(rt1|ac1)_[A-Za-z0-9_-]{8,}|(mvc|worker|api1) secret|code=[A-Za-z0-9_-]{8,}`)

// The ASP.NET profile answers as Api1 does, to the letter.
func TestTheASPNETProfileOfApi1(t *testing.T) {
	api := launch(t, "api1", "-addr", "127.0.0.1:0", "-profile", "aspnet")
	response, err := http.Get(api.url + "/identity")
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	assert.Equal(t, []string{"Bearer"}, response.Header.Values("WWW-Authenticate"))

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.url+"/identity", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+unsigned(`{"alg":"ES256","typ":"at+jwt"}`, `{"iss":"http://127.0.0.1:5000","aud":"api1","exp":1623820561}`))
	response, err = http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, []string{`Bearer error="invalid_token", error_description="The token expired at '06/16/2021 05:16:01'"`}, response.Header.Values("WWW-Authenticate"))

	status, _ := get(t, api.url+"/.well-known/oauth-protected-resource")
	assert.Equal(t, http.StatusOK, status)
}

// unsigned is a token that is rejected before its signature is verified.
func unsigned(header, payload string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(header)) + "." + b64([]byte(payload)) + "." + b64(make([]byte, 64))
}

// With -addr and without -issuer the authorization server is named for its address.
func TestTheIssuerFollowsTheAddress(t *testing.T) {
	server := launch(t, "authserver", "-addr", "127.0.0.1:0")
	status, body := get(t, server.url+"/.well-known/openid-configuration")
	assert.Equal(t, http.StatusOK, status)
	var document struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &document))
	assert.Equal(t, server.url, document.Issuer)
	assert.Equal(t, server.url+"/token", document.Token)
}

// Three processes, a browser that signs in, and time passing: what the browser sees, and what the logs do not.
func TestThreeProcesses(t *testing.T) {
	issuerAddr, clientAddr := freeAddr(t), freeAddr(t)
	config := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `{
		"resources": {"api1": ["api1"]},
		"users": [{"sub": "alice", "username": "alice", "password_hash": %q, "claims": {"name": "Alice Smith"}}],
		"clients": [{
			"client_id": "mvc client", "secrets": [{"hash": %q}], "grant_types": ["authorization_code", "refresh_token"],
			"redirect_uris": ["http://%s/signin-oidc"],
			"scopes": ["openid", "profile", "email", "phone", "address", "api1", "offline_access"]
		}]
	}`, authserver.HashPassword("alice"), authserver.HashSecret("mvc secret").Hash, clientAddr), 0o600))

	api := launch(t, "api1", "-addr", "127.0.0.1:0", "-issuer", "http://"+issuerAddr, "-skew", "1s")
	status, _ := get(t, api.url+"/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, status, "no issuer yet: not ready, but alive")
	status, _ = get(t, api.url+"/healthz")
	assert.Equal(t, http.StatusOK, status)
	status, _ = get(t, api.url+"/public")
	assert.Equal(t, http.StatusOK, status)
	status, _ = get(t, api.url+"/identity")
	assert.Equal(t, http.StatusUnauthorized, status)
	status, body := get(t, api.url+"/.well-known/oauth-protected-resource")
	assert.Equal(t, http.StatusOK, status)
	var metadata struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &metadata))
	assert.Equal(t, api.url, metadata.Resource)
	assert.Equal(t, []string{"http://" + issuerAddr}, metadata.Servers)

	issuer := launch(t, "authserver", "-addr", issuerAddr, "-issuer", "http://"+issuerAddr, "-config", config, "-access-token-lifetime", "1s")
	client := launch(t, "webclient", "-addr", clientAddr, "-issuer", "http://"+issuerAddr, "-api", api.url)
	require.Eventually(t, func() bool { status, _ := get(t, api.url+"/readyz"); return status == http.StatusOK },
		15*time.Second, 100*time.Millisecond, "Api1 finds the keys once the issuer is there")

	person := browser.New(nil)
	page, err := person.Get(t.Context(), client.url+"/login")
	require.NoError(t, err)
	page, err = person.Submit(t.Context(), page, map[string]string{"username": "alice", "password": "alice"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	first := signedIn(t, page)

	// Until exp and the skew are over, and then once more: the token was renewed behind the scenes.
	require.Eventually(t, func() bool {
		page, err := person.Get(t.Context(), client.url+"/")
		return err == nil && page.Status == http.StatusOK && signedIn(t, page) != first
	}, 15*time.Second, 200*time.Millisecond)

	for _, p := range []*process{client, api, issuer} {
		assert.Equal(t, 0, p.stop(t, syscall.SIGTERM))
		assert.NotRegexp(t, secretsInLogs, p.stderr.String()+p.stdout.String())
	}
}

var expiresAt = regexp.MustCompile(`<time>(\d{4}-\d\d-\d\dT[0-9:.]+Z)</time>`)

func signedIn(t *testing.T, page *browser.Page) (expires string) {
	t.Helper()
	found := expiresAt.FindStringSubmatch(page.Body)
	require.NotNil(t, found, "signed in: %s", page.Body)
	require.Contains(t, page.Body, "alice")
	return found[1]
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(b)
}

func TestTheDemoTellsItsStory(t *testing.T) {
	code, stdout, stderr := run(t, "demo", "-once")
	assert.Equal(t, 0, code, stdout+stderr)
	for _, line := range []string{
		`A  alice signs in .* \[ok\]`,
		`B  POST /token with the code .* \[ok\]`,
		`C  GET /identity .* 200 OK  \[ok\]`,
		`E  GET /identity, past exp but inside the skew .* 200 OK  \[ok\]`,
		`F  GET /identity, past exp and skew .* 401 Unauthorized  \[ok\]\n +WWW-Authenticate: Bearer .*error="invalid_token"`,
		`H  and the refresh token was replaced too .* \[ok\]\n.* GET /identity with the new access token .* 200 OK  \[ok\]`,
		`RequireExpirationTime = true .* 401 Unauthorized  \[ok\]`,
		`RequireExpirationTime = false .* 200 OK  \[ok\]`,
	} {
		assert.Regexp(t, line, stdout)
	}
	assert.NotRegexp(t, secretsInLogs, stdout+stderr)

	// The README shows it, but for times and ports.
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, shown, found := strings.Cut(string(readme), "$ go run ./examples/demo -once\n")
	require.True(t, found)
	shown, _, _ = strings.Cut(shown, "```")
	mask := regexp.MustCompile(`\d+\.\d\ds|127\.0\.0\.1:\d+`)
	assert.Equal(t, mask.ReplaceAllString(stdout, "#"), mask.ReplaceAllString(shown, "#"))
}
