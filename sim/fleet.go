package sim

import (
	"fmt"
	"time"

	"moonwatch/member"
)

// Calm is a world on a good local network with good disks, and nothing in it
// yet: 0.2 to 0.7 ms one way, a write of 0.5 to 8 ms, actions that take 0.2 to
// 0.9 s.
func Calm() Config {
	return Config{
		Net:    Net{Delay: 200 * time.Microsecond, Jitter: 500 * time.Microsecond},
		Disk:   Disk{Sync: Span{Min: 500 * time.Microsecond, Max: 8 * time.Millisecond}},
		Action: Span{Min: 200 * time.Millisecond, Max: 900 * time.Millisecond},
	}
}

// Demo is the fleet of the demo: seven members in failure domains of 3, 2 and
// 2, five slots, two spares, five councillors as 2, 2 and 1.
func Demo() Config {
	f := member.Fleet{Version: 1}
	for i, d := range []member.FailureDomain{"a", "b", "c", "a", "b"} {
		f.Members = append(f.Members, member.Member{ID: member.ID(fmt.Sprintf("web-%d", i)), Domain: d, Pool: "web", Council: true})
	}
	f.Members = append(f.Members,
		member.Member{ID: "spare-0", Domain: "a", Pool: "web"}, member.Member{ID: "spare-1", Domain: "c", Pool: "web"})
	f.Pools = []member.Pool{web(5)}
	c := Calm()
	c.Fleet, c.Council = f, []member.ID{"web-0", "web-1", "web-2", "web-3", "web-4"}
	return c
}

// Fleet is a fleet of n members in failure domains of about ten, at least
// three of them: one member in eight is a spare, the others hold a slot each;
// three councillors up to six members, five from seven.
func Fleet(n int) Config {
	f := member.Fleet{Version: 1}
	domains := max(3, n/10)
	spares := max(1, n/8)
	for i := range n {
		f.Members = append(f.Members, member.Member{
			ID: member.ID(fmt.Sprintf("m-%03d", i)), Pool: "web",
			Domain: member.FailureDomain(fmt.Sprintf("d%02d", i%domains)),
		})
	}
	f.Pools = []member.Pool{web(n - spares)}
	c := Calm()
	seats := 5
	if n <= 6 {
		seats = 3
	}
	for i := range seats {
		f.Members[i].Council = true
		c.Council = append(c.Council, f.Members[i].ID)
	}
	c.Fleet = f
	return c
}

// web is a pool of replicated web servers.
func web(slots int) member.Pool {
	p := member.Pool{
		Name: "web", Fence: []string{"none"}, Armed: true,
		Checks:  member.Checks{HTTP: &member.HTTPCheck{Port: 8080, Path: "/healthz", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond}},
		Actions: member.Actions{Activate: "web-start", Stop: "web-stop", Restart: "web-restart"},
	}
	for i := range slots {
		p.Slots = append(p.Slots, member.SlotID(fmt.Sprintf("web-%d", i)))
	}
	return p
}
