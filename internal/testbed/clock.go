//go:build real && linux && amd64

package testbed

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// SetClock makes the wall clock of one running process jump: from now on it is ahead of
// this machine's by so many whole seconds, or behind it. The clocks that never jump go
// on, as when a machine's time is set. Nobody else's clock is touched, and the program is
// the one that is shipped: it asks the kernel's vdso for the time, a page of which each
// process has a copy of its own as soon as that is written to. It skips the test where
// the page cannot be written to or looks different.
func SetClock(t testing.TB, pid int, ahead time.Duration) {
	t.Helper()
	if err := setClock(pid, ahead); err != nil {
		t.Skipf("the clock of one process cannot be set here: %v", err)
	}
}

// jumping is a clock_gettime that asks the kernel and then adds what stands behind it,
// in seconds, if it is the wall clock that was asked for.
var jumping = []byte{
	0xb8, 228, 0, 0, 0, // mov eax, clock_gettime
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi: the wall clock is number 0
	0x75, 0x0a, // jne over the next two
	0x48, 0x8b, 0x0d, 0x04, 0, 0, 0, // mov rcx, the quad word behind ret
	0x48, 0x01, 0x0e, // add [rsi], rcx
	0xc3, // ret
}

func setClock(pid int, ahead time.Duration) error {
	base, page, err := vdso(pid)
	if err != nil {
		return err
	}
	f, err := elf.NewFile(bytes.NewReader(page))
	if err != nil {
		return fmt.Errorf("vdso: %w", err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("vdso: %w", err)
	}
	at := map[string]elf.Symbol{}
	for _, s := range symbols {
		at[s.Name] = s
	}
	// The new code takes the room of a call that no Go program makes.
	asked, room := at["__vdso_clock_gettime"], at["__vdso_gettimeofday"]
	code := binary.LittleEndian.AppendUint64(bytes.Clone(jumping), uint64(ahead/time.Second))
	if asked.Size < 5 || room.Size < uint64(len(code)) {
		return errors.New("vdso: its calls are not where they were looked for")
	}
	to := int32(int64(room.Value) - int64(asked.Value) - 5)
	jump := binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(to))
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = mem.WriteAt(code, int64(base+room.Value))
	if err == nil {
		_, err = mem.WriteAt(jump, int64(base+asked.Value))
	}
	return errors.Join(err, mem.Close())
}

// vdso reads the kernel's page of code in a process.
func vdso(pid int) (base uint64, page []byte, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, nil, err
	}
	var end uint64
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			if _, err := fmt.Sscanf(line, "%x-%x", &base, &end); err != nil {
				return 0, nil, fmt.Errorf("vdso: %w", err)
			}
		}
	}
	if end <= base {
		return 0, nil, errors.New("vdso: there is none")
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return 0, nil, err
	}
	page = make([]byte, end-base)
	_, err = mem.ReadAt(page, int64(base))
	return base, page, errors.Join(err, mem.Close())
}
