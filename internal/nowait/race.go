//go:build race

package nowait

import (
	"runtime"
	"unsafe"
)

// network stands for all that lies between a write and the read that it was for: the race
// detector is told, as package syscall tells it, that what was before the one is before
// what is after the other.
var network byte

func written() { runtime.RaceReleaseMerge(unsafe.Pointer(&network)) }

func hasRead() { runtime.RaceAcquire(unsafe.Pointer(&network)) }
