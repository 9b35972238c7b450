package daemon

import (
	"context"
	"net/netip"
	"reflect"

	"moonwatch/agent"
	"moonwatch/mind"
	"moonwatch/shield/gateway"
)

// route gives the gateway the table that the ledger shows now: drained and new
// occupants take effect with the fact itself. The shield of any door takes its
// policy from there.
func (d *Daemon) route() {
	d.noteShield()
	if d.gateway == nil || d.mind == nil {
		return
	}
	t := d.routes()
	if reflect.DeepEqual(t, d.table) {
		return
	}
	d.table = t
	d.gateway.SetTable(t)
	if d.cfg.Routes != nil {
		d.cfg.Routes(t)
	}
}

func (d *Daemon) routes() gateway.Table {
	var t gateway.Table
	fleet := d.mind.Ledger().Fleet()
	if fleet == nil {
		return t
	}
	for _, p := range fleet.Pools {
		port := 0
		for _, x := range p.Drivers {
			if x.Kind == "gateway" {
				port = max(x.Port, 0)
				if port == 0 {
					port = p.Checks.Port()
				}
			}
		}
		if port == 0 {
			continue // no gateway driver: this pool is not behind this door
		}
		g := gateway.Pool{Name: p.Name, Hosts: p.Hosts}
		for _, id := range p.Slots {
			s, ok := d.mind.State().Slot(id)
			if !ok {
				continue
			}
			o := gateway.Occupant{Slot: id, Member: s.Occupant, SlotEpoch: s.Epoch, Drained: s.Drained, Vacant: s.Occupant == "" || !s.Started}
			if addr, known := d.peers.address(s.Occupant); known {
				o.Addr = netip.AddrPortFrom(addr.Addr(), uint16(port)).String()
			} else {
				o.Vacant = true
			}
			g.Occupants = append(g.Occupants, o)
		}
		t.Pools = append(t.Pools, g)
	}
	return t
}

// evidence tells the loop what the gateway saw of occupants.
func (d *Daemon) evidence(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-d.gateway.Evidence():
			if e.OK && !d.expelled(e.Member) {
				d.offer(mind.DoorHeard{Subject: e.Member})
			}
		}
	}
}

// report is this member's own word about its service, as its last own check
// found it.
func (d *Daemon) report() agent.Report { return agent.Report(d.ownReport.Load()) }
