package group

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// signalAll signals every process that list finds. A process id is given away
// again when its process has gone, so each one is pinned first and signalled only
// if it is still on the list then.
func signalAll(list func() ([]int, error), sig unix.Signal) error {
	pids, err := list()
	if err != nil {
		return err
	}
	pinned := map[int]int{}
	defer func() {
		for _, fd := range pinned {
			_ = unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			pinned[pid] = fd
		}
	}
	again, err := list()
	if err != nil {
		return err
	}
	var errs []error
	for _, pid := range again {
		fd, ok := pinned[pid]
		if !ok {
			continue // younger than the list: the next round has it
		}
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("signal process %d: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}
