package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// Limits of one run.
const (
	OutputLimit    = 64 << 10               // bytes of standard output that are kept
	complaintLimit = 4 << 10                // bytes of standard error that are kept, from its end
	waitDelay      = 500 * time.Millisecond // how long a child may hold the output after the program ended or was killed
)

// Ending says how much we know about what a program did.
type Ending uint8

const (
	NotStarted Ending = iota // it never ran
	Exited                   // it ended by itself: Code tells
	Killed                   // we ended it, at its deadline or because the caller gave up
	Signalled                // somebody else ended it
	Held                     // it exited with 0, but a child kept its output open
)

// End is the account of one run.
type End struct {
	Ending    Ending
	Code      int    // exit status, if it Exited
	Err       error  // why it is not known to have Exited, nil if it is
	Output    []byte // standard output, at most OutputLimit
	Cut       bool   // there was more output than that
	Complaint []byte // the end of standard error
	Took      time.Duration
}

// Run runs the program at path until it ends, until call.Deadline or until ctx
// is done, whichever comes first. In the last two cases its process group is
// killed, and Run returns waitDelay later at the latest. begun, if not nil,
// hears the process that was started.
func Run(ctx context.Context, path string, call Call, begun func(Process)) End {
	return RunIn(ctx, nil, path, call, begun)
}

// RunIn is Run behind another program, argv, which runs the one at path in its own
// place once it has done its part.
func RunIn(ctx context.Context, argv []string, path string, call Call, begun func(Process)) End {
	input, err := call.input()
	if err != nil {
		return End{Err: err}
	}
	return Command{
		Argv: append(slices.Clone(argv), path), Input: input, Env: call.environment(), Deadline: call.Deadline, Session: len(argv) > 0,
	}.Run(ctx, begun)
}

// Command is a program with what it is given, for those that do not speak the
// language of actions and checks.
type Command struct {
	Argv     []string  // the program's path, and its arguments
	Input    []byte    // its standard input
	Env      []string  // all that it inherits
	Deadline time.Time // when it is killed
	Session  bool      // it begins a session of its own, and not a process group alone
}

// Environment is what a program inherits that needs nothing but its tools.
func Environment() []string { return []string{"PATH=" + searchPath, "LANG=C.UTF-8"} }

// Run is the [Run] of a command.
func (c Command) Run(ctx context.Context, begun func(Process)) End {
	started := time.Now()
	end := c.run(ctx, begun)
	end.Took = time.Since(started)
	return end
}

func (c Command) run(ctx context.Context, begun func(Process)) End {
	ctx, cancel := context.WithDeadline(ctx, c.Deadline)
	defer cancel()

	output, complaint := head{limit: OutputLimit}, tail{limit: complaintLimit}
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir = "/" // hold no file system busy
	cmd.Env = c.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.Input), &output, &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !c.Session, Setsid: c.Session} // a group of that number either way
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = waitDelay
	if err := cmd.Start(); err != nil {
		return End{Err: err}
	}
	if begun != nil {
		begun(Identify(cmd.Process.Pid))
	}
	err := cmd.Wait()
	end := judge(ctx, cmd.ProcessState, err)
	if end.Ending == Held {
		_ = killGroup(cmd.Process.Pid) // what is left of it; none left is as good
	}
	end.Output, end.Cut, end.Complaint = output.kept, output.cut, complaint.kept
	return end
}

// judge weighs the process's state and what Wait said. An exit status is the
// program's own word and counts even at the deadline; a clean one loses its
// meaning when something of the program went on and had to be cut off.
func judge(ctx context.Context, state *os.ProcessState, err error) End {
	var status *exec.ExitError
	switch {
	case state == nil:
		return End{Ending: Killed, Err: err}
	case state.Exited() && (err == nil || errors.As(err, &status)):
		return End{Ending: Exited, Code: state.ExitCode()}
	case state.Exited():
		return End{Ending: Held, Err: errors.New("exit 0, but a child held its output open: start a service with setsid and closed descriptors")}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return End{Ending: Killed, Err: errors.New("killed at its deadline")}
	case ctx.Err() != nil:
		return End{Ending: Killed, Err: fmt.Errorf("killed: %w", context.Cause(ctx))}
	default:
		return End{Ending: Signalled, Err: fmt.Errorf("ended by somebody else: %s", state)}
	}
}

// killGroup ends a program and all of its children that stayed in its group.
func killGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", pid, err)
	}
	return nil
}

// Transient reports whether an error of a start passes by itself: the machine
// is short of something, or the file is being written at this moment.
func Transient(err error) bool {
	for _, cause := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ETXTBSY} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
