package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"moonwatch/shield/gateway"
)

// A pool of two slots, one of them drained: the other one answers.
func ExampleOpen() {
	occupant := func(name string) (addr string, end func()) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
		return s.Listener.Addr().String(), s.Close
	}
	a, endA := occupant("web-1")
	defer endA()
	b, endB := occupant("web-2")
	defer endB()

	g, err := gateway.Open(gateway.Config{Listen: "127.0.0.1:0", Debug: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close(context.Background())
	g.SetTable(gateway.Table{Pools: []gateway.Pool{{Name: "web", Occupants: []gateway.Occupant{
		{Slot: "web-0", Member: "web-1", Addr: a, SlotEpoch: 7, Drained: true},
		{Slot: "web-1", Member: "web-2", Addr: b, SlotEpoch: 9},
	}}}})

	res, err := http.Get("http://" + g.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	fmt.Println(res.Status, res.Header.Get("X-Moonwatch-Slot"), res.Header.Get("X-Moonwatch-Slot-Epoch"))
	fmt.Println((<-g.Evidence()).Kind)
	// Output:
	// 200 OK web-1 9
	// answered
}
