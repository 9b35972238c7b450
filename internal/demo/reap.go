package demo

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// reapEvery is how often the dead among those who came back to us are buried.
const reapEvery = time.Second

// reap buries the dead services and actions that came back to the launcher
// because their agent is gone. Children of our own are waited for elsewhere:
// they are left alone, however dead.
func (l *launcher) reap(ctx context.Context) {
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, pid := range zombies() {
			if !l.own(pid) {
				_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // buried already is as good
			}
		}
	}
}

// own reports whether pid is an agent that we started.
func (l *launcher) own(pid int) bool {
	for _, c := range l.children {
		c.mu.Lock()
		same := c.process.PID == pid
		c.mu.Unlock()
		if same {
			return true
		}
	}
	return false
}

// zombies lists our dead children of the demo's kind: everything that was ever
// started by an agent, and nothing else of this process.
func zombies() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	self := strconv.Itoa(os.Getpid())
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		text := string(stat)
		// After the name in parentheses: state, parent, process group, session.
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(f) > 3 && f[0] == "Z" && f[1] == self && f[3] != sessionOfSelf() {
			found = append(found, pid)
		}
	}
	return found
}

// sessionOfSelf tells agents' children from our own: every agent has a session
// of its own, and what it starts is never in ours.
func sessionOfSelf() string {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return ""
	}
	text := string(stat)
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 4 {
		return ""
	}
	return f[3]
}
