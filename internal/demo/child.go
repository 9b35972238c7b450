package demo

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"moonwatch/internal/program"
)

// child is one member's agent as a process of ours. It may be ended and
// started again; the member stays.
type child struct {
	place
	dir string
	exe string

	isolated bool // by a command; commands come one at a time

	mu      sync.Mutex
	process program.Process // the present life, zero before the first
	gate    *os.File        // our end of the pipe that moves its gate
	wanted  bool            // it shall run: an end is news
	ended   chan struct{}   // closed when the present life is over
	waits   sync.WaitGroup
	news    chan<- error // an end that nobody wanted; has room for one per child
}

func newChild(f *folder, p place, news chan<- error) *child {
	return &child{place: p, dir: f.memberDir(p.Name), exe: f.record.Exe, news: news}
}

// start starts the agent in a session of its own, so that a ctrl-C in our
// terminal is ours to handle.
func (c *child) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.launch(); err != nil {
		return fmt.Errorf("start agent %s: %w", c.Name, err)
	}
	return nil
}

func (c *child) launch() error {
	log, err := os.OpenFile(filepath.Join(c.dir, "agent.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child has its own handle
	theirs, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()                                                                //nolint:errcheck // likewise
	cmd := exec.Command(c.exe, "agent", "--config", filepath.Join(c.dir, "agent.yaml")) //nolint:noctx // it is ended by its id, with its services
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs} // descriptor 3
	cmd.Env = append(environment(), gateVariable+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, ours.Close())
	}
	c.closeGate()
	c.process, c.gate, c.wanted, c.ended = program.Identify(cmd.Process.Pid), ours, true, make(chan struct{})
	ended := c.ended
	c.waits.Go(func() { c.await(cmd, ended) })
	return writeWhole(filepath.Join(c.dir, "agent.pid"), pidLine(c.process)+"\n")
}

// environment is ours without the variables that would override agent.yaml.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MOONWATCH_") {
			kept = append(kept, v)
		}
	}
	return kept
}

func (c *child) await(cmd *exec.Cmd, ended chan struct{}) {
	err := cmd.Wait()
	close(ended)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted && c.ended == ended {
		if err == nil {
			err = errors.New("exit status 0")
		}
		c.wanted = false
		c.news <- fmt.Errorf("agent %s ended: %w", c.Name, err)
	}
}

// signal signals the agent. A SIGKILL means that its end is wanted.
func (c *child) signal(s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s == syscall.SIGKILL {
		c.wanted = false
	}
	if err := send(c.process, s); err != nil {
		return fmt.Errorf("agent %s: %w", c.Name, err)
	}
	return nil
}

// restart starts the agent again as soon as the life that was killed is over.
func (c *child) restart() error {
	c.mu.Lock()
	ended := c.ended
	c.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(endTime):
		return fmt.Errorf("restart agent %s: its former life has not ended after %v", c.Name, endTime)
	}
	return c.start()
}

// alive reports whether the agent runs, stalled or not.
func (c *child) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.process.Fate() == program.Runs
}

// service is the process that serves the member's slot.
func (c *child) service() (program.Process, error) {
	p, err := readPID(filepath.Join(c.dir, "service.pid"))
	if err == nil && p.Fate() != program.Runs {
		err = os.ErrProcessDone
	}
	if err != nil {
		return program.Process{}, fmt.Errorf("service on %s: %w", c.Name, err)
	}
	return p, nil
}

// shut moves the agent's gate for one address. An agent that is gone has no
// gate to move, and comes back with an open one.
func (c *child) shut(block bool, with place) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gate == nil {
		return nil
	}
	if err := order(c.gate, block, with.Addr); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("gate of %s: %w", c.Name, err)
	}
	return nil
}

// expectEnd says that from now on an end is no news.
func (c *child) expectEnd() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = false
}

// close waits for the agent, which was killed, and frees what is left of it.
func (c *child) close() {
	c.waits.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeGate()
}

func (c *child) closeGate() {
	if c.gate != nil {
		_ = c.gate.Close() // a pipe has nothing left to write
		c.gate = nil
	}
}

// lastLines are the end of the agent's log, for people who ask why.
func (c *child) lastLines(n int) []string {
	text, err := os.ReadFile(filepath.Join(c.dir, "agent.log"))
	if err != nil {
		return nil
	}
	lines := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	return lines[max(0, len(lines)-n):]
}
