package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// roleVariable tells a program that it was started to be a server.
const roleVariable = "BEARERGATE_PEERBENCH_SERVER"

// Main is called first thing by programs and by the TestMain of their tests. In a process that [Start] has started, it calls
// serve with what Start was given, and ends the process; in any other it returns.
func Main(serve func(role string) error) {
	role, ok := os.LookupEnv(roleVariable)
	if !ok {
		return
	}
	if err := serve(role); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Serve is the life of a server process: it listens on a port of 127.0.0.1, says on the standard output which, and answers
// the questions that come on the standard input, one a line, until that ends. So no server outlives who has started it.
// The question "cpu" is answered here, the others by answer.
func Serve(h http.Handler, answer func(question string) (string, error)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		text, err := "", error(nil)
		if in.Text() == "cpu" {
			var used time.Duration
			used, err = cpuTime()
			text = strconv.FormatInt(int64(used), 10)
		} else {
			text, err = answer(in.Text())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		fmt.Println(text)
	}
	return errors.Join(srv.Close(), ignoreClosed(<-failed))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// A Server is a server process, seen from who has started it.
type Server struct {
	Addr string // host:port

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts this program again, as a server of the given role, with GOMAXPROCS=1 and, where the system can do that,
// pinned to the processor cpu. What it writes to the standard error is this program's.
func Start(role string, cpu int) (*Server, error) {
	return start(role, "GOMAXPROCS=1", func(cmd *exec.Cmd) error { return startOn(cmd, cpu) })
}

// StartFree is Start for a process with so many processors, none of them in particular.
func StartFree(role string, processors int) (*Server, error) {
	return start(role, "GOMAXPROCS="+strconv.Itoa(processors), startAnywhere)
}

func start(role, processors string, run func(*exec.Cmd) error) (*Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, processors)
	cmd.Stderr = os.Stderr
	s := &Server{cmd: cmd}
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := run(cmd); err != nil {
		return nil, err
	}
	if s.Addr, err = s.line(); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("harness: %s did not start: %w", role, err)
	}
	return s, nil
}

// Ask puts a question to the server process, see [Serve].
func (s *Server) Ask(question string) (string, error) {
	if _, err := fmt.Fprintln(s.in, question); err != nil {
		return "", err
	}
	return s.line()
}

func (s *Server) line() (string, error) {
	text, err := s.out.ReadString('\n')
	return strings.TrimSuffix(text, "\n"), err
}

// CPU is the processor time, of the program and of the kernel for it, that the server process has used until now.
func (s *Server) CPU() (time.Duration, error) {
	text, err := s.Ask("cpu")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return time.Duration(n), err
}

// Close ends the process, by force if it does not end within 5 seconds, and waits for its end.
func (s *Server) Close() error {
	err := s.in.Close()
	force := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer force.Stop()
	return errors.Join(err, s.cmd.Wait())
}
