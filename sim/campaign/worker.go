package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Crew says how workers are started and how long they are waited for.
type Crew struct {
	Command  []string      // the program that calls Serve, and its arguments
	Env      []string      // added to the environment of this process
	Workers  int           // at once, at least 1
	Patience time.Duration // a worker that worked, or stood still, for so long hangs; 0: wait for ever
}

// Crash is the error of a plan that has no result: its worker ended, or hung and
// was ended, or refused the plan.
type Crash struct {
	How  string // in a few words
	Said string // the beginning of what it wrote to standard error

	killed bool // from outside
}

func (c *Crash) Error() string { return c.How }

// lastWords is how long a worker that hangs may take to print its stacks.
const lastWords = 2 * time.Second

// worker is a child process that plays one task after another. The process
// starts with the first task, and anew with the first one after a crash.
type worker struct {
	crew  Crew
	child *child
}

type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan Answer // closed when the process writes no more
	stderr  *head
	babbles bool // what it wrote was no answer; told by closing answers
}

// do has a plan played, and once more if its worker was killed from outside: the
// plan had no part in that, unless it comes again, as when the world takes more
// memory than there is.
func (w *worker) do(ctx context.Context, t Task) (Answer, error) {
	a, err := w.once(ctx, t)
	var crash *Crash
	if errors.As(err, &crash) && crash.killed {
		a, err = w.once(ctx, t)
	}
	return a, err
}

// once has a plan played. The error is a *Crash if there is no result, and ctx's if
// that ended first. Any other error means that no worker can be started.
func (w *worker) once(ctx context.Context, t Task) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	if w.child == nil {
		c, err := w.crew.hire()
		if err != nil {
			return Answer{}, err
		}
		w.child = c
	}
	c := w.child
	var written sync.WaitGroup
	defer written.Wait()                                       // a process that is gone takes nothing any more
	written.Go(func() { _ = json.NewEncoder(c.in).Encode(t) }) // if it fails, the answer fails too
	var late <-chan time.Time
	if w.crew.Patience > 0 {
		tick := time.NewTicker(w.crew.Patience)
		defer tick.Stop()
		late = tick.C
	}
	patience := c.patience(w.crew.Patience)
	for {
		select {
		case a, ok := <-c.answers:
			switch {
			case !ok:
				return Answer{}, w.bury("")
			case a.Seed != t.Seed:
				return Answer{}, w.end(fmt.Sprintf("answered for seed %d", a.Seed))
			case a.Result == nil:
				return Answer{}, &Crash{How: "refused: " + a.Error}
			}
			return a, nil
		case <-late:
			how := patience.lost()
			if how == "" {
				continue
			}
			_ = c.cmd.Process.Signal(syscall.SIGQUIT) // Go's runtime tells where it is
			dead := time.AfterFunc(lastWords, func() { _ = c.cmd.Process.Kill() })
			defer dead.Stop()
			return Answer{}, w.bury(how)
		case <-ctx.Done():
			_ = w.end("")
			return Answer{}, ctx.Err()
		}
	}
}

// end ends the process, whatever it does.
func (w *worker) end(how string) error {
	if w.child == nil {
		return nil
	}
	_ = w.child.cmd.Process.Kill() // or it is gone already
	return w.bury(how)
}

// bury waits for a process that ends. Without a word how that came, it looks.
func (w *worker) bury(how string) error {
	c := w.child
	w.child = nil
	for range c.answers { // to their end, before Wait closes the pipe
	}
	_ = c.in.Close() // the other end is gone
	err := c.cmd.Wait()
	var exit *exec.ExitError
	killed := how == "" && !c.babbles && errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	switch {
	case killed:
		how = "killed from outside, as when memory is short"
	case how == "":
		how = c.epitaph(err)
	}
	return &Crash{how, c.stderr.String(), killed}
}

// hire starts a process. A ctrl-C in our terminal is ours to handle, so it gets
// a process group of its own.
func (c Crew) hire() (*child, error) {
	cmd := exec.Command(c.Command[0], c.Command[1:]...) //nolint:noctx // end ends it, after what it wrote was read
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	k := &child{cmd: cmd, answers: make(chan Answer), stderr: &head{room: 16 << 10}}
	cmd.Stderr = k.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	k.in = in
	go k.listen(out)
	return k, nil
}

// listen passes answers on until the process writes no more, or no answers.
func (c *child) listen(out io.Reader) {
	defer close(c.answers)
	for d := json.NewDecoder(out); ; {
		var a Answer
		if err := d.Decode(&a); err != nil {
			c.babbles = !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
			_ = c.cmd.Process.Kill() // or it has ended
			return
		}
		c.answers <- a
	}
}

// epitaph says of what the process died.
func (c *child) epitaph(err error) string {
	lines := strings.Split(strings.TrimSpace(c.stderr.String()), "\n")
	last := lines[len(lines)-1]
	for _, l := range lines {
		if strings.HasPrefix(l, "panic: ") || strings.HasPrefix(l, "fatal error: ") {
			return l
		}
	}
	how := "ended by itself"
	if err != nil {
		how = err.Error()
	}
	if last != "" {
		how += ": " + last
	}
	return how
}

// head keeps the beginning of what is written to it: a crash says there why.
type head struct {
	room int
	text strings.Builder
}

func (h *head) Write(p []byte) (int, error) {
	h.text.Write(p[:min(len(p), h.room-h.text.Len())])
	return len(p), nil
}

func (h *head) String() string { return h.text.String() }
