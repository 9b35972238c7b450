package daemon

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"moonwatch/internal/config"
)

// socketGroup may use the agent's socket, where the machine has such a group. The Debian
// package makes it, and people put into it who look and hold without being root.
const socketGroup = "moonwatch"

// lend gives the socket to a group, which its mode of 0660 lets in. On a machine without
// that group, and by an agent that is neither root nor of it, nothing is done: the socket
// is then for the agent's own group. The process stays what it is, for the services that
// it starts would inherit a group.
func lend(socket, group string) error {
	g, err := user.LookupGroup(group)
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("lend socket to group %s: gid %q: %w", group, g.Gid, err)
	}
	own, err := os.Getgroups()
	if err != nil {
		return fmt.Errorf("lend socket to group %s: %w", group, err)
	}
	if os.Geteuid() != 0 && !slices.Contains(own, gid) {
		return nil
	}
	paths := []string{socket}
	// The unit's folder is closed to others. One that somebody else has chosen stays as it
	// is: who puts the socket beside keys does not mean to show them.
	if dir := filepath.Dir(socket); dir == filepath.Dir(config.DefaultAgent().Socket) {
		paths = append(paths, dir)
	}
	for _, path := range paths {
		if err := os.Lchown(path, -1, gid); err != nil {
			return fmt.Errorf("lend socket to group %s: %w", group, err)
		}
	}
	return nil
}
