package daemon

import (
	"context"
	"net"
	"os"
)

// peerKey is where a request of the socket carries whom it comes from.
type peerKey struct{}

// withPeer notes for all requests of a connection who is at its other end.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	p, err := peerOf(c)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// peer is who is at the other end of a socket.
type peer struct {
	name string
	uid  uint32
}

// peerName is the user that a request comes from, as the kernel says.
func peerName(ctx context.Context) string {
	if p, ok := ctx.Value(peerKey{}).(peer); ok {
		return p.name
	}
	return "somebody"
}

// peerIsOwner says whether a request comes from root or from the user that the agent
// runs as: who could read its keys anyway.
func peerIsOwner(ctx context.Context) bool {
	p, ok := ctx.Value(peerKey{}).(peer)
	return ok && (p.uid == 0 || int64(p.uid) == int64(os.Geteuid()))
}
