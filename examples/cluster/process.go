package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bearergate/bearergate/examples/internal/program"
)

// A processMain is the main function of a process. It gets its configuration, the rest of stdin line by line, and a
// context that ends with stdin.
type processMain func(ctx context.Context, config json.RawMessage, commands <-chan string, logger *slog.Logger) error

var processes = map[string]processMain{"node": runNode, "api": runAPI, "database": runDatabase}

// runProcess runs one of the processes and returns its exit code.
func runProcess(name string) int {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in := bufio.NewReader(os.Stdin)
	config, err := in.ReadBytes('\n')
	if err != nil {
		logger.Error("no configuration", "process", name)
		return program.ExitError
	}
	commands := make(chan string)
	go func() {
		defer cancel() // the parent has exited
		for lines := bufio.NewScanner(in); lines.Scan(); {
			commands <- lines.Text()
		}
	}()
	if err := processes[name](ctx, config, commands, logger); err != nil && !errors.Is(err, context.Canceled) {
		logger.Error("failed", "process", name, "error", err)
		return program.ExitError
	}
	return program.ExitOK
}

// announce begins the line that tells the parent where the process listens.
const announce = "listening on "

// process is a running process.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	url    string // where it listens
	exited chan struct{}
}

// startProcess starts a process, passes it its configuration, and waits for its announcement. Further lines on its
// stdout go to onLine, its log goes to a file.
func startProcess(ctx context.Context, name, logFile string, config any, onLine func(string)) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(self, name), exited: make(chan struct{})} //nolint:noctx // it ends with its stdin
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = ownGroup() // so that ^C reaches only this program, which then stops the others
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go func() {
		defer close(p.exited)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if url, ok := strings.CutPrefix(lines.Text(), announce); ok {
				listening <- url
			} else if onLine != nil {
				onLine(lines.Text())
			}
		}
		_ = p.cmd.Wait()
	}()
	line, err := json.Marshal(config)
	if err == nil {
		_, err = p.in.Write(append(line, '\n'))
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	select {
	case p.url = <-listening:
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("%s exited early: see %s", name, filepath.Base(logFile))
	case <-ctx.Done():
		p.kill()
		return nil, ctx.Err()
	}
}

// kill simulates a crash of the process, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// stop closes stdin and waits. It kills a process that does not exit by itself.
func (p *process) stop() {
	_ = p.in.Close()
	select {
	case <-p.exited:
	case <-time.After(15 * time.Second):
		p.kill()
	}
}
