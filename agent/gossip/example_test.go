package gossip_test

import (
	"context"
	"fmt"
	"net/netip"

	"moonwatch/agent/gossip"
	"moonwatch/member"
)

// Two agents with one key find each other and talk.
func Example() {
	ctx := context.Background()
	key := gossip.NewKey()
	open := func(name member.ID) *gossip.Gossip {
		g, err := gossip.Open(gossip.Config{
			Name: name, ClusterID: "example", Keys: [][]byte{key},
			Bind: netip.MustParseAddrPort("127.0.0.1:0"),
		})
		if err != nil {
			panic(err)
		}
		return g
	}
	a, b := open("web-1"), open("web-2")
	defer func() { _, _ = a.Close(ctx), b.Close(ctx) }()

	if _, err := b.Join(ctx, []string{a.Addr().String()}); err != nil {
		fmt.Println(err)
	}
	for _, p := range b.View() {
		fmt.Println(p.Name, p.Alive)
	}
	if err := b.Send(a.Addr(), []byte("are you there?")); err != nil {
		fmt.Println(err)
	}
	p := <-a.Packets()
	fmt.Println(string(p.Body), p.From == b.Addr())
	// Output:
	// web-1 true
	// web-2 true
	// are you there? true
}
