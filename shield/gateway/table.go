package gateway

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"go.uber.org/zap"

	"moonwatch/member"
)

// Table says which pools there are and who occupies their slots. It is a value
// that nobody changes after it was given to SetTable.
type Table struct {
	Pools []Pool
}

// Pool serves the names in Hosts with the occupants of its slots.
type Pool struct {
	Name string
	// Hosts are exact names and wildcards: www.example.com, *.example.com (any
	// depth below example.com, but not itself). Empty: whatever no other pool
	// serves.
	Hosts     []string
	Occupants []Occupant
}

// Occupant is one slot of a pool and who is in it.
type Occupant struct {
	Slot      member.SlotID    `json:"slot"`
	Member    member.ID        `json:"member"`
	Addr      string           `json:"addr"` // host:port where the service listens
	SlotEpoch member.SlotEpoch `json:"slot_epoch"`
	Drained   bool             `json:"drained"` // nothing new for it, unless all others fail
	Vacant    bool             `json:"vacant"`  // nobody is in the slot: never used
}

func (o Occupant) vacant() bool { return o.Vacant || o.Addr == "" }

// Validate lists every mistake: names that are none, names and catch-alls that
// two pools claim, addresses without port.
func (t Table) Validate() error {
	_, errs := t.names()
	pools := make(map[string]bool, len(t.Pools))
	for _, p := range t.Pools {
		if pools[p.Name] {
			errs = append(errs, fmt.Errorf("pool %s: named twice", p.Name))
		}
		pools[p.Name] = true
		for _, o := range p.Occupants {
			if _, _, err := net.SplitHostPort(o.Addr); err != nil && !o.vacant() {
				errs = append(errs, fmt.Errorf("pool %s: slot %s: addr is %q, want host:port", p.Name, o.Slot, o.Addr))
			}
		}
	}
	return errors.Join(errs...)
}

// names maps each name to the index of its pool + 1. What is wrong is left out
// and listed; of two claims the first one stands.
func (t Table) names() (names[int], []error) {
	n := names[int]{exact: make(map[string]int), suffixes: make(map[string]int)}
	var errs []error
	for i, p := range t.Pools {
		if len(p.Hosts) == 0 {
			if n.any != 0 {
				errs = append(errs, fmt.Errorf("pool %s: no hosts, but pool %s is the catch-all already", p.Name, t.Pools[n.any-1].Name))
				continue
			}
			n.any = i + 1
		}
		for _, host := range p.Hosts {
			suffix, wild := strings.CutPrefix(host, "*.")
			into := n.exact
			if wild {
				into = n.suffixes
			}
			name, ok := fold(make([]byte, 0, maxName), suffix)
			if !ok || wild && strings.ContainsRune(string(name), ':') {
				errs = append(errs, fmt.Errorf("pool %s: host is %q, want a name, *.name or an IP address", p.Name, host))
				continue
			}
			if other := into[string(name)]; other != 0 && other != i+1 {
				errs = append(errs, fmt.Errorf("pool %s: host %s belongs to pool %s already", p.Name, host, t.Pools[other-1].Name))
				continue
			}
			into[string(name)] = i + 1
		}
	}
	return n, errs
}

// table is what the requests see. It is never changed, only replaced.
type table struct {
	source Table
	names  names[*view]
	views  map[*pool]*view
}

// view is a pool in one table.
type view struct {
	pool    *pool
	live    []*occupant // neither vacant nor drained
	drained []*occupant
}

// SetTable replaces the table for all requests that begin after its return;
// those under way finish where they are. Occupants that stay (same slot, slot
// epoch, member and address) keep what the reflex knows of them. A table with
// mistakes (Validate) is used as far as it can be, and the mistakes are logged:
// a door that refuses a table would go on sending to the dead.
func (g *Gateway) SetTable(t Table) {
	if err := t.Validate(); err != nil {
		g.cfg.Log.Warn("gateway table has mistakes", zap.Error(err))
	}
	g.tabling.Lock()
	defer g.tabling.Unlock()
	old := g.table.Load()
	pools := make(map[string]*pool, len(old.views))
	known := make(map[key]*occupant)
	for p, v := range old.views {
		pools[p.name] = p
		for _, o := range v.live {
			known[o.key] = o
		}
		for _, o := range v.drained {
			known[o.key] = o
		}
	}
	next := &table{source: t, views: make(map[*pool]*view, len(t.Pools))}
	views := make([]*view, len(t.Pools))
	for i, p := range t.Pools {
		if pools[p.Name] == nil {
			pools[p.Name] = newPool(p.Name, &g.cfg.Reflex)
		}
		if first := next.views[pools[p.Name]]; first != nil {
			views[i] = first // a mistake: of two pools with one name the first one stands
			continue
		}
		v := &view{pool: pools[p.Name]}
		for _, seat := range p.Occupants {
			if seat.vacant() {
				continue
			}
			k := key{p.Name, seat.Slot, seat.SlotEpoch, seat.Member, seat.Addr}
			o := known[k]
			if o == nil {
				o = g.newOccupant(k)
				known[k] = o
			}
			if seat.Drained {
				v.drained = append(v.drained, o)
			} else {
				v.live = append(v.live, o)
			}
		}
		views[i], next.views[v.pool] = v, v
	}
	found, _ := t.names()
	next.names = names[*view]{exact: make(map[string]*view, len(found.exact)), suffixes: make(map[string]*view, len(found.suffixes))}
	for name, i := range found.exact {
		next.names.exact[name] = views[i-1]
	}
	for name, i := range found.suffixes {
		next.names.suffixes[name] = views[i-1]
	}
	if found.any != 0 {
		next.names.any = views[found.any-1]
	}
	g.table.Store(next)

	// Who gets nothing new keeps no idle connections, also not those that are
	// in use now and become idle later.
	for _, v := range next.views {
		for _, o := range v.live {
			delete(known, o.key)
		}
	}
	for _, o := range known {
		o.transport.CloseIdleConnections()
	}
}

// current is what the present table says about a request's pool; a pool that is
// gone from it finishes with what it had.
func (g *Gateway) current(v *view) *view {
	if now := g.table.Load().views[v.pool]; now != nil {
		return now
	}
	return v
}
