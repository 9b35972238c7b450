package program

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Process names one process for good: a process id alone is given to another
// process sooner or later. The zero Process is one that we know nothing of.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since the machine started
	Boot  string `json:"boot"`  // id of that start of the machine
}

// Fate is what we can find out about a process of an earlier life of ours.
type Fate uint8

const (
	Unknowable Fate = iota // too little was noted about it
	Runs
	Gone
)

// Fate looks a process up. A zombie is gone: it does nothing any more.
func (p Process) Fate() Fate {
	if p.PID <= 0 || p.Start == 0 || p.Boot == "" {
		return Unknowable
	}
	if now, state := look(p.PID); now != p || state == "Z" {
		return Gone
	}
	return Runs
}

// Kill ends the process and its group, if it still is the one that was noted.
func (p Process) Kill() error {
	if p.Fate() != Runs {
		return nil
	}
	return killGroup(p.PID)
}

// Identify is what tells a process from a later one with the same id, and the
// zero Process where the system does not say.
func Identify(pid int) Process {
	p, _ := look(pid)
	return p
}

func look(pid int) (p Process, state string) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, ""
	}
	// The second field is the name in parentheses and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return Process{}, ""
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return Process{}, ""
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Process{}, ""
	}
	return Process{PID: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, fields[0]
}
