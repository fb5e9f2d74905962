package peerbench

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write middleware/PEERS.md")

//go:embed PEERS.md.tmpl
var prose string

const document = "../PEERS.md"

func TestMain(m *testing.M) {
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // keyfunc reports there
	os.Exit(m.Run())
}

// middleware/PEERS.md says what is observed today.
func TestTableIsCurrent(t *testing.T) {
	var doc bytes.Buffer
	tmpl := template.Must(template.New("").Parse(prose))
	require.NoError(t, tmpl.Execute(&doc, map[string]string{
		"Versions":      versions(t),
		"BadTokens":     attackTable(t),
		"GoodTokens":    plainTable(t, goodTokens),
		"OpenQuestions": plainTable(t, openQuestions),
		"Answers":       behaviourTable(t, answers(), func(p Peer) bool { return p.Answers }),
		"Keys":          behaviourTable(t, keyRows(), func(p Peer) bool { return p.KeySet }),
	}))
	if *update {
		require.NoError(t, os.WriteFile(document, doc.Bytes(), 0o644))
	}
	have, err := os.ReadFile(document)
	require.NoError(t, err)
	want, got := strings.Split(doc.String(), "\n"), strings.Split(string(have), "\n")
	require.Len(t, got, len(want), "lines of middleware/PEERS.md; to write it: go test -run TestTable -update")
	for i := range want {
		assert.Equal(t, want[i], got[i], "middleware/PEERS.md:%d is not what is observed; to write it: go test -run TestTable -update", i+1)
	}
}

// Every attack is refused by this project, whatever the table says of others.
func TestBearergateRefusesEveryBadToken(t *testing.T) {
	tokens, cells := present(t, Peers()[0], badTokens)
	require.NotEmpty(t, tokens)
	for i, tok := range tokens {
		assert.Contains(t, []string{"400", "401"}, cells[i], tok.name)
	}
}

// Every good token is accepted by this project.
func TestBearergateAcceptsEveryGoodToken(t *testing.T) {
	tokens, cells := present(t, Peers()[0], goodTokens)
	for i, tok := range tokens {
		assert.Equal(t, accepted, cells[i], tok.name)
	}
}

// attackTable presents the bad tokens to all peers. Its first rows count those that were accepted, of all and of those
// that were made without the issuer's key.
func attackTable(t *testing.T) string {
	tokens, columns := presentAll(t, badTokens)
	forgeries := 0
	for _, tok := range tokens {
		if tok.forged() {
			forgeries++
		}
	}
	head := []string{"token", "our reason"}
	all := []string{fmt.Sprintf("**accepted, of %d**", len(tokens)), ""}
	forged := []string{fmt.Sprintf("**accepted, of the %d forged ones**", forgeries), ""}
	for i, peer := range Peers() {
		n, f := 0, 0
		for row, cell := range columns[i] {
			if cell == accepted {
				n++
				columns[i][row] = "**" + accepted + "**"
				if tokens[row].forged() {
					f++
				}
			}
		}
		head, all, forged = append(head, peer.Name), append(all, fmt.Sprintf("**%d**", n)), append(forged, fmt.Sprintf("**%d**", f))
	}
	rows := [][]string{head, all, forged}
	for i, tok := range tokens {
		rows = append(rows, append([]string{printable(tok.name), tok.reason}, across(columns, i)...))
	}
	return markdown(rows)
}

// plainTable presents tokens to all peers, without judging.
func plainTable(t *testing.T, mint func(*world) []token) string {
	tokens, columns := presentAll(t, mint)
	head := []string{"token"}
	for _, peer := range Peers() {
		head = append(head, peer.Name)
	}
	rows := [][]string{head}
	for i, tok := range tokens {
		rows = append(rows, append([]string{tok.name}, across(columns, i)...))
	}
	return markdown(rows)
}

// presentAll presents the tokens to every peer, a column each.
func presentAll(t *testing.T, mint func(*world) []token) (tokens []token, columns [][]string) {
	for _, peer := range Peers() {
		var cells []string
		tokens, cells = present(t, peer, mint)
		columns = append(columns, cells)
	}
	return tokens, columns
}

// across is one row of columns.
func across(columns [][]string, i int) []string {
	var row []string
	for _, cells := range columns {
		row = append(row, cells[i])
	}
	return row
}

// behaviourTable asks those peers that the questions are for.
func behaviourTable(t *testing.T, behaviours []behaviour, concerns func(Peer) bool) string {
	var peers []Peer
	head := []string{""}
	for _, peer := range Peers() {
		if concerns(peer) {
			peers = append(peers, peer)
			head = append(head, peer.Name)
		}
	}
	rows := [][]string{head}
	for _, b := range behaviours {
		row := []string{b.name}
		for _, peer := range peers {
			row = append(row, b.observe(t, peer))
		}
		rows = append(rows, row)
	}
	return markdown(rows)
}

// versions is a table of the peers' modules and of those underneath, as this build has them. (A test binary's build info
// does not list them, the go command does.)
func versions(t *testing.T) string {
	list, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all").Output()
	require.NoError(t, err)
	version := map[string]string{}
	for _, line := range strings.Split(string(list), "\n") {
		path, v, _ := strings.Cut(line, " ")
		version[path] = v
	}
	rows := [][]string{{"", "module", "version"}}
	for _, peer := range Peers() {
		v := version[peer.Module]
		if peer.Module == "github.com/bearergate/bearergate" {
			v = "this commit"
		}
		require.NotEmpty(t, v, peer.Module)
		rows = append(rows, []string{peer.Name, "`" + peer.Module + "`", v})
	}
	for _, under := range []string{
		"github.com/MicahParks/keyfunc/v3", "github.com/MicahParks/jwkset", "github.com/lestrrat-go/jwx/v2", "github.com/go-jose/go-jose/v4",
	} {
		require.NotEmpty(t, version[under], under)
		rows = append(rows, []string{"underneath", "`" + under + "`", version[under]})
	}
	return markdown(rows)
}

// markdown writes a table; the first row is its head.
func markdown(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("|")
		for _, cell := range row {
			b.WriteString(" " + strings.ReplaceAll(cell, "|", "\\|") + " |")
		}
		b.WriteString("\n")
		if i == 0 {
			b.WriteString("|" + strings.Repeat("---|", len(row)) + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
