package daemon

import (
	"fmt"
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel which user is at the other end of a unix socket.
func peerOf(c net.Conn) (peer, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return peer{}, errNoPeer
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return peer{}, fmt.Errorf("peer of the socket: %w", err)
	}
	var cred *unix.Ucred
	var cerr error
	if err := raw.Control(func(fd uintptr) { cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return peer{}, fmt.Errorf("peer of the socket: %w", err)
	}
	if cerr != nil {
		return peer{}, fmt.Errorf("peer of the socket: %w", cerr)
	}
	uid := strconv.FormatUint(uint64(cred.Uid), 10)
	if known, err := user.LookupId(uid); err == nil {
		return peer{known.Username, cred.Uid}, nil
	}
	return peer{"uid " + uid, cred.Uid}, nil
}
