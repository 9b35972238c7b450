package door

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// peer is who is at the other end, as the kernel says.
type peer struct {
	pid int
	uid uint32
}

func peerOf(conn net.Conn) (peer, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return peer{}, fmt.Errorf("peer credentials: %T is no unix socket", conn)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	if asked != nil {
		return peer{}, fmt.Errorf("peer credentials: %w", asked)
	}
	return peer{int(cred.Pid), cred.Uid}, nil
}
