package demo

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes processes whose parent dies ours, not init's: the
// services of a killed agent are still the launcher's to end.
func becomeSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become child subreaper: %w", err)
	}
	return nil
}
