package daemon

import (
	"context"
	"net"
)

// peerKey is where a request of the socket carries whom it comes from.
type peerKey struct{}

// withPeer notes for all requests of a connection who is at its other end.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	name, err := peerOf(c)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, name)
}

// peerName is the user that a request comes from, as the kernel says.
func peerName(ctx context.Context) string {
	if name, ok := ctx.Value(peerKey{}).(string); ok {
		return name
	}
	return "somebody"
}
