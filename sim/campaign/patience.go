package campaign

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// patience tells a worker that hangs from one that is given no processor: on a
// machine that does other work, a clock on the wall would call both the same.
type patience struct {
	pid   int
	whole time.Duration
	begun time.Duration // processor time before this task
	last  time.Duration // at the last look
}

func (c *child) patience(whole time.Duration) *patience {
	used, _ := processorTime(c.cmd.Process.Pid)
	return &patience{pid: c.cmd.Process.Pid, whole: whole, begun: used, last: used}
}

// atWork is the least share of a processor that a worker takes which is not stuck.
const atWork = 0.01

// lost says how a worker hangs, asked once whenever the whole patience has passed by
// the clock on the wall: it stood still since the last time, or it has worked for so
// long. It is empty for one that gets on slowly.
func (p *patience) lost() string {
	used, err := processorTime(p.pid)
	if err != nil { // this system does not say: only the wall is left
		return fmt.Sprintf("hung: no answer within %v", p.whole)
	}
	now, all := used-p.last, used-p.begun
	p.last = used
	switch {
	case all >= p.whole:
		return fmt.Sprintf("hung: no answer after %v of work", p.whole)
	case now < time.Duration(atWork*float64(p.whole)):
		return fmt.Sprintf("hung: no answer within %v, and no work was done in them", p.whole)
	}
	return ""
}

// kernelTick is the unit of times in /proc, the same on every Linux that Go runs on.
const kernelTick = 10 * time.Millisecond

// processorTime is what a process has taken of the processors, its own code and the
// kernel's for it.
func processorTime(pid int) (time.Duration, error) {
	const user, system = 11, 12 // after the name, which may hold anything; see proc(5)
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) <= system {
		return 0, fmt.Errorf("read %s: %d fields, want more than %d", path, len(fields), system)
	}
	var ticks int64
	for _, f := range []string{fields[user], fields[system]} {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * kernelTick, nil
}
