package daemon

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/internal/config"
	"moonwatch/internal/wire"
	"moonwatch/member"
	"moonwatch/shield"
	"moonwatch/status"
)

// enforcing is the policy of a fleet whose doors know each other.
func enforcing(doors ...member.ID) member.ShieldPolicy {
	return member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: 320, Doors: doors}
}

func (x *counted) doors(ids ...member.ID) {
	x.d.shielding.ruling.Store(&shieldRuling{doors: ids, listed: true})
}

// report is one that another door makes in calm.
func (x *counted) report(door member.ID, seq uint64) shield.Report {
	return shield.Report{
		Door: door, Life: 1, Seq: seq, Window: 400 * time.Millisecond, Mark: shield.MarkOf(x.d.shielding.salt),
		Total: shield.Traffic{Asked: 1000 + seq, Lately: 40, Admitted: 40},
	}
}

func (x *counted) says(from member.ID, r shield.Report) {
	x.t.Helper()
	b, err := r.Encode()
	if err != nil {
		x.t.Fatal(err)
	}
	x.d.shielding.doorWord(wire.DoorReport{From: from, Body: b})
	x.run(shieldTick, 0)
}

func TestWhatAnotherDoorSaysIsRefusedCountedAndSaid(t *testing.T) {
	x := newDoor(t, enforcing("door", "other"))
	x.doors("door", "other")
	x.run(shieldSayAgain+time.Second, 0)
	x.says("other", x.report("other", 5))
	if n := testutil.ToFloat64(x.d.shielding.metrics.heard); n != 1 || len(x.document("").AllDoors) != 2 {
		t.Fatalf("%v reports heard", n)
	}
	refused := func(why shield.Refusal) float64 {
		return testutil.ToFloat64(x.d.shielding.metrics.refused.WithLabelValues(string(why)))
	}
	absurd := x.report("other", 7)
	absurd.Total.Admitted = 1000
	salted := x.report("other", 8)
	salted.Mark++
	for _, c := range []struct {
		name string
		why  shield.Refusal
		say  func()
	}{
		{"who is no door", shield.UnknownDoor, func() { x.says("stranger", x.report("stranger", 1)) }},
		{"a replay", shield.Replayed, func() { x.says("other", x.report("other", 5)) }},
		{"what cannot be", shield.Absurd, func() { x.says("other", absurd) }},
		{"another one's name", shield.Absurd, func() { x.says("other", x.report("door", 9)) }},
		{"another salt", shield.OtherFormat, func() { x.says("other", salted) }},
		{"another format", shield.OtherFormat, func() {
			x.d.shielding.doorWord(wire.DoorReport{From: "other", Body: []byte{77, 1, 2}})
			x.run(shieldTick, 0)
		}},
		{"floors in another format", shield.OtherFormat, func() {
			x.d.shielding.doorWord(wire.DoorFloors{From: "other", Body: []byte{77}})
			x.run(shieldTick, 0)
		}},
		{"floors of who is no door", shield.BadFloors, func() {
			x.d.shielding.doorWord(wire.DoorFloors{From: "stranger", Body: shield.Floors{Version: 9, Capacity: 10}.Encode(shield.MarkOf(x.d.shielding.salt))[0]})
			x.run(shieldTick, 0)
		}},
	} {
		before := refused(c.why)
		c.say()
		if n := refused(c.why) - before; n != 1 {
			t.Errorf("%s: counted %v times, want once as %s", c.name, n, c.why)
		}
	}
	x.run(time.Second, 0)
	said := 0
	for _, n := range x.document("").Notes {
		if n.What == shield.Refused.String() {
			said++
		}
	}
	if said < 5 { // once each
		t.Errorf("%d refusals are said, want one of each kind", said)
	}
	if held := x.d.gateway.Measures().List(); len(held) != 0 {
		t.Errorf("it holds %+v", held)
	}
}

// TestDoorsOfAFleetHoldTogetherWhatNoneWouldAlone: three agents with sockets, disks and
// a council. A subdomain asks each door for less than what would be too much there. The
// fourth agent opens a gateway, too, and is no door of the policy: it stands alone.
func TestDoorsOfAFleetHoldTogetherWhatNoneWouldAlone(t *testing.T) {
	names := []member.ID{"m1", "m2", "m3", "m4"}
	f := newFleet(t, names, func(f *fleet) {
		f.tune = func(n member.ID, a *config.Agent) { a.Gateway = netip.AddrPortFrom(f.addrs[n], 0).String() }
	})
	for _, n := range names {
		select {
		case <-f.agents[n].Ready():
		case <-time.After(60 * time.Second):
			t.Fatalf("%s is not ready", n)
		}
	}
	fl := testFleet(f, 2)
	fl.Shield = enforcing("m1", "m2", "m3")
	f.apply(fl)

	// Each tenant asks for 2 a second at each door, the flooded one for 100 more: 420 of 320
	// through three doors, 140 through one.
	stop := make(chan struct{})
	defer close(stop)
	flood := make(chan struct{})
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		began := time.Now()
		asked := map[string]float64{}
		for _, n := range names {
			for i := range tenants {
				asked[fmt.Sprintf("%s/%d", n, i)] = float64(i) / tenants // they take turns
			}
		}
		flooding, over := 0.0, false
		for last := began; ; {
			select {
			case <-stop:
				return
			case <-flood:
				over, flood = true, nil
			case <-tick.C:
			}
			now := time.Now()
			passed := now.Sub(last).Seconds()
			last = now
			flooding = 0
			if !over && now.Sub(began) > 2*time.Second {
				flooding = 100
			}
			for _, n := range names {
				c := f.agents[n].shielding.counter
				for i := range tenants {
					at := fmt.Sprintf("%s/%d", n, i)
					asked[at] += 2 * passed
					if i == 0 {
						asked[at] += flooding * passed
					}
					c.Learn(tenant(i))
					for ; asked[at] >= 1; asked[at]-- {
						ref := c.Add(tenant(i))
						ref.Serve()
					}
				}
			}
		}
	}()
	eventually := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				for _, n := range names {
					t.Logf("%s: %+v", n, f.agents[n].shielding.document.Load())
				}
				t.Fatalf("%s: not within a minute", what)
			}
		}
	}
	measure := func(n member.ID) *shield.Measure {
		k, _, _ := f.agents[n].shielding.keyOf(string(tenant(0)))
		return f.agents[n].gateway.Measures().Find(k)
	}
	eventually("the flooded subdomain is shaped on all doors", func() bool {
		for _, n := range names[:3] {
			if m := measure(n); m == nil || m.Rung != shield.ShapeFleet || m.Admit >= shield.Whole || len(m.Doors) != 3 {
				return false
			}
		}
		return true
	})
	if m := measure("m4"); m != nil {
		t.Errorf("the gateway that is no door holds it, by the word of others: %+v", m)
	}
	close(flood)
	eventually("it is released on all doors", func() bool {
		for _, n := range names {
			if len(f.agents[n].gateway.Measures().List()) > 0 {
				return false
			}
		}
		return true
	})
}

func TestAnAgentWithoutADoorShowsWhatTheLedgerSays(t *testing.T) {
	d := &Daemon{}
	if doc := d.shieldSeen(); doc.Door != "" || doc.Throttles == nil || len(doc.Throttles) > 0 {
		t.Errorf("before a ledger: %+v", doc)
	}
	now := time.Now()
	stands := shield.Standing{By: map[string]shield.Throttle{
		"a.example.com": {Host: "a.example.com", Rung: shield.Stop, Doors: []member.ID{"a", "b"}, Until: now.Add(time.Hour), Why: "a flood"},
		"b.example.com": {Host: "b.example.com", Rung: shield.Stop, Doors: []member.ID{"a", "b"}, Until: now.Add(-time.Hour)},
	}}
	d.shielding.ruling.Store(&shieldRuling{doors: []member.ID{"a", "b", "c"}, stands: stands})
	doc := d.shieldSeen()
	if len(doc.Throttles) != 1 || doc.Throttles[0].Host != "a.example.com" || doc.Throttles[0].Rung != "stop" || len(doc.AllDoors) != 3 {
		t.Errorf("%+v, want what stands of a.example.com, and the doors", doc)
	}
	// Its page is kept while the agent's page is the same.
	d.page.Store(&status.Page{Now: now.Add(time.Minute)})
	if a, b := d.shieldSeen(), d.shieldSeen(); !a.Now.Equal(now.Add(time.Minute)) || !reflect.DeepEqual(a, b) || len(a.Throttles) != 1 {
		t.Errorf("%+v and %+v, want what stood at the agent's page, twice", a, b)
	}
	d.page.Store(&status.Page{Now: now.Add(time.Hour)})
	if doc := d.shieldSeen(); len(doc.Throttles) > 0 {
		t.Errorf("%+v, and it has ended", doc.Throttles)
	}
}
