package group

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"moonwatch/internal/program"
	"moonwatch/internal/whole"
	"moonwatch/member"
)

// Mark is the variable that tells whose a process is where there is no cgroup:
// "PLACE SLOT". Who enters sets it before it goes on.
const Mark = "MOONWATCH_KEPT_BY"

// sessionEnd ends the name of a file that lists the processes that entered a
// slot: the leaders of its sessions.
const sessionEnd = ".session"

// sessions are the slots of a keeper that may make no cgroups.
type sessions struct{ dir string }

func openSessions(dir string) (Group, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &sessions{dir: abs}, nil
}

func (g *sessions) Name() string  { return "session" }
func (g *sessions) Place() string { return None }

func (g *sessions) at(slot member.SlotID) string {
	return filepath.Join(g.dir, string(slot)+sessionEnd)
}

// Admit notes the leader of a session, on the disk before it returns: a keeper
// that is killed now finds it again.
func (g *sessions) Admit(slot member.SlotID, pid int) error {
	p := program.Identify(pid)
	if p.PID == 0 {
		return fmt.Errorf("process %d is gone, or of another pid namespace", pid)
	}
	st, err := stat(pid)
	if err != nil {
		return err
	}
	if st.session != pid {
		return fmt.Errorf("process %d is not the leader of its session: start it with setsid", pid)
	}
	leaders, err := g.leaders(slot)
	if err != nil {
		return err
	}
	// Those whose whole session is gone make room.
	kept := leaders[:0]
	for _, l := range leaders {
		if n, err := g.sessionOf(l); err != nil || n > 0 {
			kept = append(kept, l)
		}
	}
	b, err := json.Marshal(append(kept, p))
	if err != nil {
		return err
	}
	return whole.Replace(g.at(slot), append(b, '\n'), 0o600)
}

func (g *sessions) leaders(slot member.SlotID) ([]program.Process, error) {
	b, err := os.ReadFile(g.at(slot))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []program.Process
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): end what runs of the slot by hand, then remove it", g.at(slot), err)
	}
	return all, nil
}

func (g *sessions) sessionOf(l program.Process) (int, error) {
	pids, err := find(func(st status) bool { return ofSession(st, l) })
	return len(pids), err
}

// ofSession reports that a process belongs to the session that a leader began in
// this boot. A session keeps its number as long as anybody is in it, so a leader
// that is gone still names it; if another process has the number now, it is over.
func ofSession(st status, l program.Process) bool {
	if st.session != l.PID || st.start < l.Start {
		return false
	}
	now := program.Identify(l.PID)
	return now == l || now.PID == 0 && l.Boot == program.Identify(st.pid).Boot
}

// list finds a slot's processes: by session and by mark. It looks twice, because
// a list of processes is no picture of one moment: a child may be started behind
// where we read, and its parent end before we come there.
func (g *sessions) list(slot member.SlotID) ([]int, error) {
	leaders, err := g.leaders(slot)
	if err != nil {
		leaders = nil // the mark is left
	}
	mark := []byte(Mark + "=" + MarkOf(g.dir, slot))
	ours := func(st status) bool {
		for _, l := range leaders {
			if ofSession(st, l) {
				return true
			}
		}
		env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(st.pid), "environ"))
		if err != nil {
			return false // of another user, whom we could not end either; or gone
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(v, mark) {
				return true
			}
		}
		return false
	}
	pids, err := find(ours)
	if err != nil || len(pids) > 0 {
		return pids, err
	}
	return find(ours)
}

// MarkOf is the value of Mark for a slot of the keeper with this folder.
func MarkOf(dir string, slot member.SlotID) string { return dir + " " + string(slot) }

func (g *sessions) Signal(slot member.SlotID, kill bool) error {
	sig := unix.SIGTERM
	if kill {
		sig = unix.SIGKILL
	}
	return signalAll(func() ([]int, error) { return g.list(slot) }, sig)
}

// Count finds none and forgets none: a damaged list of leaders is an error until
// the mark finds nobody either and the file is written anew.
func (g *sessions) Count(slot member.SlotID) (int, error) {
	pids, err := g.list(slot)
	if err != nil || len(pids) > 0 {
		return len(pids), err
	}
	if _, err := g.leaders(slot); err != nil {
		return 0, err
	}
	return 0, nil
}

func (g *sessions) Slots() ([]member.SlotID, error) {
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return nil, fmt.Errorf("look at sessions: %w", err)
	}
	var slots []member.SlotID
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), sessionEnd); ok {
			slots = append(slots, member.SlotID(name))
		}
	}
	return slots, nil
}

func (g *sessions) Forget(slot member.SlotID) error {
	if err := os.Remove(g.at(slot)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget session: %w", err)
	}
	return nil
}

func (g *sessions) Close() {} // its folder is the keeper's

// status is what the kernel tells about a process.
type status struct {
	pid     int
	state   byte
	session int
	threads int
	start   uint64
}

// find lists the processes for which ours holds, but for those that do nothing
// any more and for this one.
func find(ours func(status) bool) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("look at processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		st, err := stat(pid)
		if err != nil {
			continue // gone
		}
		// A leader that has ended is a zombie until its last thread ends too.
		if (st.state == 'Z' || st.state == 'X') && st.threads <= 1 {
			continue
		}
		if ours(st) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func stat(pid int) (status, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return status{}, err
	}
	// The second field is the name in parentheses and may hold anything; those
	// after it count from 3 (proc_pid_stat(5)).
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return status{}, fmt.Errorf("process %d: its stat has %d fields", pid, len(f))
	}
	session, err1 := strconv.Atoi(f[3])
	threads, err2 := strconv.Atoi(f[17])
	start, err3 := strconv.ParseUint(f[19], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return status{}, err
	}
	return status{pid: pid, state: f[0][0], session: session, threads: threads, start: start}, nil
}
