// Package boottime tells the time since the machine was booted: CLOCK_BOOTTIME,
// which goes on while the machine sleeps and which nobody can set. Go's own
// monotonic time stands still in suspend, and its wall clock is set by people and
// daemons; a lease that counted on either could end late.
package boottime

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// ID names the machine's present life: a time of another one means nothing.
func ID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("boot id: %w", err)
	}
	id := strings.TrimSpace(string(b))
	if id == "" {
		return "", fmt.Errorf("boot id: it is empty")
	}
	return id, nil
}

// Forever is a time that never comes.
const Forever = time.Duration(1<<63 - 1)
