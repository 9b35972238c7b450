package campaign

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// What a world takes, in bytes. A worker with less lets its collector work more
// than its world (GOGC=50); one with more is faster. Measured in calm and in
// storms with 30 to 1,000 members, and with 10,000; a test looks whether it still
// holds.
const (
	needProgram = 30 << 20
	needMember  = 100 << 10
	needPair    = 400 // what members learn of one another while they are enrolled
)

// enrolled is about the largest fleet that one command of the ledger can
// enrol. The members of a larger one have known each other for long.
const enrolled = 1500

// Need is how much memory the world of so many members takes, in bytes.
func Need(members int) uint64 {
	n := uint64(members)
	need := needProgram + n*needMember
	if n <= enrolled {
		need += n * n * needPair
	}
	return need
}

// Fit says how many workers of so many members the free memory holds, at most
// as many as wanted. It fails if there is no room for one.
func Fit(members, workers int, free uint64) (int, error) {
	if free == 0 {
		return workers, nil // nobody knows
	}
	fit := min(uint64(workers), free/Need(members))
	if fit == 0 {
		return 0, fmt.Errorf("a world of %d members takes about %s of memory, and %s are free", members, Bytes(Need(members)), Bytes(free))
	}
	return int(fit), nil
}

// Bytes is an amount of memory for people.
func Bytes(n uint64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
}

// FreeMemory is how much memory may be taken without pushing others out: of the
// machine, and of the control group that this process is in. 0 if the system
// does not say.
func FreeMemory() uint64 {
	free := uint64(0)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		free = line(f, "MemAvailable:")
		_ = f.Close() // it was only read
	}
	for _, group := range []struct{ limit, used string }{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
	} {
		limit, used := number(group.limit), number(group.used)
		if limit > used && (free == 0 || limit-used < free) {
			free = limit - used
		}
	}
	return free
}

// peakMemory is how much this process has taken at most, 0 if the system does
// not say.
func peakMemory() uint64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // it was only read
	return line(f, "VmHWM:")
}

// line finds the amount behind a name, such as "MemAvailable:  123 kB".
func line(of io.Reader, name string) uint64 {
	for lines := bufio.NewScanner(of); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), name)
		if !ok {
			continue
		}
		kb, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
		if err == nil {
			return kb << 10
		}
	}
	return 0
}

// number is the one number in a file, 0 if there is none, as where it says
// "max".
func number(path string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n
}
