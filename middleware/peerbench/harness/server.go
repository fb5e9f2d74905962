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

// roleVariable, in the environment, makes a program a server.
const roleVariable = "BEARERGATE_PEERBENCH_SERVER"

// Main must be called first by programs and by the TestMain of their tests. In a process that [Start] has started, it calls
// serve with Start's role and ends the process; in any other it returns.
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

// Serve runs a server process. It listens on a port of 127.0.0.1, prints its address, and answers the questions on the standard
// input, one a line, until that ends. So no server outlives the process that has started it. Serve answers the question "cpu";
// answer answers all others.
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

// A Server is a server process that this process has started.
type Server struct {
	Addr string // host:port

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts this program again, as a server of the given role, with GOMAXPROCS=1 and, if the system can do that, pinned to
// the processor cpu. Both programs share the standard error.
func Start(role string, cpu int) (*Server, error) {
	return start(role, "GOMAXPROCS=1", func(cmd *exec.Cmd) error { return startOn(cmd, cpu) })
}

// StartFree is Start for a process with that many processors, not pinned.
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

// Ask sends a question to the server process and returns its answer, see [Serve].
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

// CPU returns the processor time that the server process has used until now, with the kernel's for it.
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
