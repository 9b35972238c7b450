package scenario

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// layout describes a fleet by its numbers, as scenarios mostly do: members m-000
// and so on, dealt to the failure domains in turn. The members of a pool stand
// together; its slots go to the first of them, the rest are its spares. The
// first members of the fleet are the council.
type layout struct {
	members int
	domains int
	council int
	profile string
	pools   []poolShape
}

// poolShape is one pool of a layout.
type poolShape struct {
	name      string
	slots     int
	spares    int
	hosts     []string
	exclusive bool
	fence     []string
	disarmed  bool
	prepare   bool // its spares prepare before they go live
	drills    time.Duration
	early     time.Duration // burn-in that suffices where there is no spare
	reserve   int
	floor     int      // free spares that the pool does not lend
	borrow    []string // pools that lend it theirs
}

// councilOf is the council of a fleet of n that says nothing about it.
func councilOf(n int) int {
	switch {
	case n < 3:
		return 1
	case n <= 6:
		return 3
	default:
		return 5
	}
}

// sparesOf is how many of n members are spares if nothing says so.
func sparesOf(n int) int { return max(1, n/8) }

// domainName is the name of the i-th failure domain of n: a letter while there
// are enough of them.
func domainName(i, n int) member.FailureDomain {
	if n > 26 {
		return member.FailureDomain(fmt.Sprintf("d%03d", i))
	}
	return member.FailureDomain(rune('a' + i))
}

// build makes the fleet.
func (s layout) build() (member.Fleet, []member.ID) {
	f := member.Fleet{Version: 1, Profile: s.profile}
	var council []member.ID
	for _, p := range s.pools {
		for range p.slots + p.spares {
			i := len(f.Members)
			m := member.Member{
				ID: member.ID(fmt.Sprintf("m-%03d", i)), Pool: p.name, Domain: domainName(i%s.domains, s.domains),
				Council: i < s.council,
			}
			if m.Council {
				council = append(council, m.ID)
			}
			f.Members = append(f.Members, m)
		}
		f.Pools = append(f.Pools, p.build())
	}
	return f, council
}

// build makes a pool of replicated web servers, as the demo has them.
func (p poolShape) build() member.Pool {
	fence := p.fence
	if len(fence) == 0 {
		fence = []string{"none"}
	}
	pool := member.Pool{
		Name: p.name, Hosts: p.hosts, Exclusive: p.exclusive, Fence: fence, Armed: !p.disarmed,
		Checks:  member.Checks{HTTP: &member.HTTPCheck{Port: 8080, Path: "/healthz", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond}},
		Actions: member.Actions{Activate: p.name + "-start", Stop: p.name + "-stop", Restart: p.name + "-restart"},
	}
	pool.Spares.Reserve, pool.Spares.EarlyAfter = p.reserve, p.early
	pool.Spares.Floor, pool.Spares.BorrowFrom = p.floor, p.borrow
	if p.prepare {
		pool.Actions.Prepare, pool.Actions.Unprepare = p.name+"-prepare", p.name+"-unprepare"
		pool.Spares.DrillEvery = p.drills
	}
	for i := range p.slots {
		pool.Slots = append(pool.Slots, member.SlotID(fmt.Sprintf("%s-%d", p.name, i)))
	}
	return pool
}

// resize makes the layout of another number of members. Only a fleet of one pool
// can be asked for it.
func (s layout) resize(n int) (layout, error) {
	if len(s.pools) != 1 {
		return s, fmt.Errorf("a fleet of %d pools has the %d members that stand there", len(s.pools), s.members)
	}
	p := s.pools[0]
	p.spares = max(1, p.spares*n/s.members)
	p.slots = n - p.spares
	if p.slots < 1 || s.council > n || s.domains > n {
		return s, fmt.Errorf("%d members are too few for %d councillors, %d failure domains, a slot and a spare", n, s.council, s.domains)
	}
	s.members, s.pools = n, []poolShape{p}
	return s, nil
}

// ground is the fleet that a scenario is played on, with what selectors ask.
type ground struct {
	fleet   member.Fleet
	council []member.ID
	holds   map[member.ID]member.SlotID // at the beginning
	added   []member.SlotID             // by steps that apply another fleet
}

// slots are those that the fleet has, or has at some time.
func (g *ground) slots() []member.SlotID { return slices.Concat(slotsOf(g.fleet), g.added) }

// newGround deals the slots out as the ledger does: the members of a pool take
// its slots in the order in which both are written.
func newGround(f member.Fleet, council []member.ID) *ground {
	g := &ground{fleet: f, council: council, holds: map[member.ID]member.SlotID{}}
	for _, p := range f.Pools {
		slots := p.Slots
		for _, m := range f.Members {
			if m.Pool == p.Name && len(slots) > 0 && !m.Retired {
				g.holds[m.ID] = slots[0]
				slots = slots[1:]
			}
		}
	}
	return g
}

// ground is where the plan begins: the slots are dealt out anew, or held as a
// ledger says.
func (w World) ground() (*ground, error) {
	g := newGround(w.Fleet, w.Council)
	if w.Begin == nil {
		return g, nil
	}
	stand, err := w.Begin.Read()
	if err != nil {
		return nil, err
	}
	clear(g.holds)
	for slot, id := range stand.Occupants {
		if id != "" {
			g.holds[id] = slot
		}
	}
	return g, nil
}

func (g *ground) ids() []member.ID {
	ids := make([]member.ID, len(g.fleet.Members))
	for i, m := range g.fleet.Members {
		ids[i] = m.ID
	}
	return ids
}

// member finds a member by its name, or by its place in the fleet from 0.
func (g *ground) member(name string) (member.ID, bool) {
	for _, m := range g.fleet.Members {
		if string(m.ID) == name {
			return m.ID, true
		}
	}
	var i int
	if _, err := fmt.Sscanf(name, "%d", &i); err == nil && fmt.Sprint(i) == name && i >= 0 && i < len(g.fleet.Members) {
		return g.fleet.Members[i].ID, true
	}
	return "", false
}

// that lists the members for which ok holds.
func (g *ground) that(ok func(member.Member) bool) []member.ID {
	var ids []member.ID
	for _, m := range g.fleet.Members {
		if ok(m) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// demo is the fleet of the demo.
func demo() *ground {
	c := sim.Demo()
	return newGround(c.Fleet, c.Council)
}
