package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"moonwatch/internal/program"
	"moonwatch/internal/whole"
)

// pidLine is how a process stands in a pid file: id, start time in clock ticks
// since the machine started, and the id of that start.
func pidLine(p program.Process) string { return fmt.Sprintf("%d %d %s", p.PID, p.Start, p.Boot) }

// readPID reads the process in a pid file. A service's file has slot and slot
// epoch behind it.
func readPID(path string) (program.Process, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return program.Process{}, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return program.Process{}, fmt.Errorf("pid file %s: %d words, want process id, start time and boot id", path, len(fields))
	}
	pid, err := strconv.Atoi(fields[0])
	start, also := strconv.ParseUint(fields[1], 10, 64)
	if err := errors.Join(err, also); err != nil {
		return program.Process{}, fmt.Errorf("pid file %s: %w", path, err)
	}
	return program.Process{PID: pid, Start: start, Boot: fields[2]}, nil
}

// writeWhole replaces a file at one stroke: a reader sees the old one or the
// new one. It need not survive a crash of the machine, nor do the processes.
func writeWhole(path, text string) error {
	return whole.ReplaceForNow(path, []byte(text), 0o600)
}

// send sends a signal to exactly this process. The handle is taken before the
// look, so that it cannot come to mean a later process with the same id.
func send(p program.Process, s syscall.Signal) error {
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }() // it only frees the handle
	if p.Fate() != program.Runs {
		return fmt.Errorf("process %d: %w", p.PID, os.ErrProcessDone)
	}
	if err := handle.Signal(s); err != nil {
		return fmt.Errorf("process %d: %w", p.PID, err)
	}
	return nil
}

// endTime is how long processes that were killed may take to be gone: on a machine that
// starves they wait for a processor even for that, and what is left behind
// starves it further.
const endTime = 30 * time.Second

// end kills every process of the folder: agents first, that they start nothing
// new, then services, then whatever had no time yet to write a pid file. It
// looks again until nothing is left.
func (f *folder) end() error { return f.endUnder(filepath.Join(f.path, "members")) }

// endUnder does so with what belongs to one folder inside: all members or one.
func (f *folder) endUnder(dir string) error {
	for deadline := time.Now().Add(endTime); ; time.Sleep(10 * time.Millisecond) {
		left := f.processesUnder(dir)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("end processes of %s: %d still run, the first is %d", dir, len(left), left[0].PID)
		}
		for _, p := range left {
			if err := send(p, syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("end processes of %s: %w", dir, err)
			}
		}
	}
}

// processes lists what runs of the folder: what its pid files name, and what
// was started from it. It never guesses: a process that merely reads a file of
// the folder is not in it.
func (f *folder) processes() []program.Process {
	return f.processesUnder(filepath.Join(f.path, "members"))
}

func (f *folder) processesUnder(dir string) []program.Process {
	var found []program.Process
	add := func(p program.Process) {
		if p.Fate() == program.Runs && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	for _, name := range []string{"agent.pid", "service.pid"} {
		inside, _ := filepath.Glob(filepath.Join(dir, "*", name)) // the pattern is right
		for _, path := range append(inside, filepath.Join(dir, name)) {
			if p, err := readPID(path); err == nil {
				add(p)
			}
		}
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return found
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !ownedByUs(e) {
			continue
		}
		p := program.Identify(pid)
		if line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")); err == nil && f.started(dir, line) {
			add(p)
		}
	}
	return found
}

// started reports whether a command line is one that only the demo with this
// folder gives: an agent or a service of ours, or the shell that runs one of
// its actions, of whatever belongs to dir.
func (f *folder) started(dir string, cmdline []byte) bool {
	var args []string
	for arg := range bytes.SplitSeq(bytes.TrimSuffix(cmdline, []byte{0}), []byte{0}) {
		args = append(args, string(arg))
	}
	inside := func(path string) bool { return strings.HasPrefix(path, dir+"/") }
	after := func(flag string) string {
		i := slices.Index(args, flag)
		if i < 0 || i+1 == len(args) {
			return ""
		}
		return args[i+1]
	}
	switch {
	case len(args) < 2:
		return false
	case args[0] == f.record.Exe && args[1] == "agent":
		return inside(after("--config"))
	case args[0] == f.record.Exe && args[1] == "demo-service", args[0] == "setsid" && slices.Contains(args, "demo-service"):
		return inside(after("--pid-file"))
	default:
		return args[0] == "/bin/sh" && inside(args[1]) && strings.Contains(args[1], "/actions/")
	}
}

func ownedByUs(e fs.DirEntry) bool {
	info, err := e.Info()
	return err == nil && owner(info) == os.Geteuid()
}

// owner is the user id of a file's owner, -1 where the system does not say.
func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
