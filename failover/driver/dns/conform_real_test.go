//go:build real

package dns

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
	"moonwatch/member"
)

func TestBINDConforms(t *testing.T) {
	b := newBind(t)
	next := 0
	reply := new(dns.Msg).SetQuestion("name0.example.test.", dns.TypeA)
	reply.Response, reply.Authoritative = true, true
	forged, err := reply.Pack()
	must(t, err)
	conform.Run(t, conform.Subject{
		Fresh: func(t *testing.T) *conform.Target {
			name := fmt.Sprintf("name%d.example.test.", next)
			next++
			wire := conform.NewWire(t, "tcp", b.address)
			c := b.config(wire.Address())
			c.Name = func(member.SlotID) string { return name }
			return &conform.Target{
				Slot:  "web-0",
				Open:  func() driver.Driver { return opened(t, c) },
				State: func() string { return b.state(name) },
				Wire:  wire,
			}
		},
		Steps: conform.DoorSteps(map[member.ID]string{"spare-1": "192.0.2.7"}),
		Nonsense: []string{
			"\x00" + string(rune(len(forged))) + string(forged), // a good answer to another question
			"\x00\x0c\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00",
			"HTTP/1.1 400 Bad Request\r\n\r\n",
		},
	})
}
