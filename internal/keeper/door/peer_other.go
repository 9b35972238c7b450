//go:build !linux

package door

import (
	"errors"
	"net"
)

type peer struct {
	pid int
	uid uint32
}

func peerOf(net.Conn) (peer, error) {
	return peer{}, errors.New("peer credentials: a keeper needs Linux")
}
