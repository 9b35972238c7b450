//go:build real && !(linux && amd64)

package testbed

import (
	"testing"
	"time"
)

// SetClock skips the test: on this kind of machine the clock of one process cannot be set.
func SetClock(t testing.TB, _ int, _ time.Duration) {
	t.Helper()
	t.Skip("the clock of one process can be set on linux/amd64 alone")
}
