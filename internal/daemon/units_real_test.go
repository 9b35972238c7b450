//go:build real && linux

package daemon

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/config"
	"moonwatch/internal/testbed"
	"moonwatch/member"
	"moonwatch/status"
)

// unitFleet is two slots whose services are units and whose addresses move with them.
const unitFleet = `
version: 1
profile: demo
members:
  m4: {failure_domain: a, pool: web}
  m3: {failure_domain: b, pool: web, council: allowed}
  m2: {failure_domain: c, pool: web, council: allowed}
  m1: {failure_domain: d, pool: web, council: allowed}
pools:
  web:
    fence: [none]
    slots: {web: 2}
    spares: {warm: 2, floor: 1}
    checks: {http: {port: 8080, path: /, interval: 2s, timeout: 500ms}}
    drivers:
      - {kind: vip, addresses: {web-0: 10.78.0.200, web-1: 10.78.0.201}}
      - {kind: systemd, unit: "web@{slot}.service"}
    armed: true
`

// lockedIn are members whose agents run in the sandbox that people may add: what the
// driver and the addresses of slots want is possible there.
var lockedIn = []member.ID{"m2", "m4"}

// booted is a fleet of whole machines: each has a systemd as PID 1, which runs the
// agent by the unit that people copy, and the slots' services by orders of the agent.
type booted struct {
	*apart

	net      *testbed.Segment
	machines map[member.ID]*testbed.Machine
}

func newBooted(t *testing.T) *booted {
	t.Helper()
	names := []member.ID{"m1", "m2", "m3", "m4"}
	f := layFleet(t, names, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 78, 0, byte(i + 1)}) })
	program := filepath.Join(f.dir, "moonwatch")
	copyFile(t, ours("")[0], program)
	x := &booted{apart: newApart(f, nil), net: testbed.NewSegment(t), machines: map[member.ID]*testbed.Machine{}}
	x.net.Host(aClient, "10.78.0.100/24")
	x.place = func(_ member.ID, argv []string) []string { return x.net.On(aClient, argv...) }
	const samples = "../../configs/systemd/"
	sample, err := os.ReadFile(samples + "moonwatch-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	sandbox, err := os.ReadFile(samples + "moonwatch-agent-sandbox.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		m := testbed.Boot(t, testbed.Options{Network: true, Keep: []string{f.dir}})
		x.machines[n] = m
		x.net.Join(string(n), m.PID, f.addrs[n].String()+"/24")
		path := x.writeConfig(n)
		const starts, configured = "/usr/bin/moonwatch agent --config /etc/moonwatch/agent.yaml", "ConditionPathExists=/etc/moonwatch/agent.yaml"
		for _, want := range []string{starts, configured} {
			if !strings.Contains(string(sample), want) {
				t.Fatalf("configs/systemd/moonwatch-agent.service does not say %s", want)
			}
		}
		m.Unit("moonwatch-agent.service", strings.NewReplacer(starts, program+" as agent "+path, configured, "ConditionPathExists="+path).Replace(string(sample)))
		m.Unit("moonwatch-agent.service.d/test.conf", "[Unit]\nDefaultDependencies=no\n[Service]\nWatchdogSec=15s\n") // half of the sample's: the test waits for it
		if slices.Contains(lockedIn, n) {                                                                             // what it reads and writes is in a temporary folder, which the sample takes away
			m.Unit("moonwatch-agent.service.d/sandbox.conf", string(sandbox)+"BindPaths="+f.dir+"\n")
		}
		m.Unit("web@.service", fmt.Sprintf("[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s as web :8080 %s\n", program, n))
		m.Run("systemctl", "start", "--no-block", "moonwatch-agent.service")
	}
	x.await("m1", "a leader", func(p status.Page) bool { return p.Council.Leader != "" })
	fl, _, err := config.ParseFleet("fleet.yaml", []byte(unitFleet))
	if err != nil {
		t.Fatal(err)
	}
	x.order(consensus.KindFleet, *fl)
	x.served(map[member.SlotID]member.ID{"web-0": "m4", "web-1": "m3"})
	x.calm("m1")
	return x
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = io.Copy(out, in)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// served waits until the slots are of these members by the ledger, by their units, and
// for clients that ask at the slots' addresses.
func (x *booted) served(want map[member.SlotID]member.ID) {
	x.t.Helper()
	x.await("m1", fmt.Sprintf("slots of %v", want), func(p status.Page) bool {
		n := 0
		for _, s := range p.Slots {
			if s.State == status.SlotServing && s.Occupant == want[s.ID] {
				n++
			}
		}
		return n == len(want)
	})
	for slot, n := range want {
		unit := "web@" + string(slot) + ".service"
		x.machines[n].Wait(unit+" of "+string(n), func() bool { return x.machines[n].Show(unit, "ActiveState") == "active" })
		if env := x.machines[n].Show(unit, "Environment"); !strings.Contains(env, "MOONWATCH_SLOT="+string(slot)) {
			x.t.Errorf("%s on %s has the environment %q", unit, n, env)
		}
		address := map[member.SlotID]string{"web-0": "10.78.0.200", "web-1": "10.78.0.201"}[slot]
		x.machines[n].Wait(string(n)+" answers at "+address, func() bool {
			return x.net.Run(aClient, "sh", "-c", strings.Join(ours("ask", "http://"+address+":8080/"), " ")+" || true") == string(n)
		})
	}
}

// stopped waits until nothing of a slot runs on a member.
func (x *booted) stopped(n member.ID, slot member.SlotID) {
	x.t.Helper()
	unit := "web@" + string(slot) + ".service"
	x.machines[n].Wait(unit+" of "+string(n)+" is stopped", func() bool {
		return x.machines[n].Show(unit, "ActiveState") == "inactive" && x.machines[n].Show(unit, "MainPID") == "0"
	})
}

// ended waits for a case after fact since to close, and wants how.
func (x *booted) ended(slot member.SlotID, since uint64, want failover.Outcome) {
	x.t.Helper()
	var got failover.Outcome
	x.await("m1", "a closed case of "+string(slot), func(p status.Page) bool {
		i := slices.IndexFunc(p.Cases, func(c status.Case) bool { return c.Slot == slot && c.Index > since && !c.Open })
		if i >= 0 {
			got = p.Cases[i].Outcome
		}
		return i >= 0
	})
	if got != want {
		x.t.Errorf("the case of %s ended as %q, want %q", slot, got, want)
	}
}

func TestUnitsOfWholeMachinesAreRunByAgentsThatSystemdRuns(t *testing.T) {
	x := newBooted(t)
	head := func() uint64 {
		return x.await("m1", "a page", func(status.Page) bool { return true }).Knowledge.Head
	}
	invocation := func(n member.ID, unit string) string { return x.machines[n].Show(unit, "InvocationID") }
	for _, n := range []member.ID{"m1", "m2"} {
		x.stopped(n, "web-0")
	}

	for n, m := range x.machines {
		want := "no"
		if slices.Contains(lockedIn, n) {
			want = "yes"
		}
		if got := m.Show("moonwatch-agent.service", "NoNewPrivileges"); got != want {
			t.Errorf("%s: NoNewPrivileges=%s, want %s", n, got, want)
		}
		if n == "m4" || n == "m3" { // what PID 1 has started is not in there
			if got := m.Show("web@"+map[member.ID]string{"m4": "web-0", "m3": "web-1"}[n]+".service", "NoNewPrivileges"); got != "no" {
				t.Errorf("the service of %s: NoNewPrivileges=%s", n, got)
			}
		}
	}

	t.Log("the agent is started anew, and the service is not")
	before := invocation("m4", "web@web-0.service")
	agent := invocation("m4", "moonwatch-agent.service")
	x.machines["m4"].Run("systemctl", "restart", "moonwatch-agent.service")
	x.await("m4", "its new agent knows the fleet", func(p status.Page) bool {
		return p.Knowledge.Current && len(p.Slots) == 2 && invocation("m4", "moonwatch-agent.service") != agent
	})
	x.calm("m1")
	if now := invocation("m4", "web@web-0.service"); now != before {
		t.Errorf("invocation %s, want %s", now, before)
	}

	t.Log("the agent hangs: systemd ends it and starts it anew, and not the service")
	agent = invocation("m4", "moonwatch-agent.service")
	x.machines["m4"].Wait("the agent's word to systemd", func() bool {
		return strings.HasPrefix(x.machines["m4"].Show("moonwatch-agent.service", "StatusText"), "Mode ")
	})
	x.machines["m4"].Run("systemctl", "kill", "--kill-who=main", "--signal=STOP", "moonwatch-agent.service")
	x.machines["m4"].Wait("another agent of m4", func() bool {
		return invocation("m4", "moonwatch-agent.service") != agent && x.machines["m4"].Show("moonwatch-agent.service", "SubState") == "running"
	})
	x.await("m4", "it knows the fleet", func(p status.Page) bool { return p.Knowledge.Current && len(p.Slots) == 2 })
	if now := invocation("m4", "web@web-0.service"); now != before {
		t.Errorf("its service is invocation %s, want %s", now, before)
	}
	x.calm("m1")

	t.Log("the service crashes, and is restarted in place")
	since := head()
	epoch := x.machines["m4"].Show("web@web-0.service", "Environment")
	x.machines["m4"].Run("systemctl", "kill", "--signal=KILL", "web@web-0.service")
	x.ended("web-0", since, failover.OutcomeRestarted)
	x.served(map[member.SlotID]member.ID{"web-0": "m4", "web-1": "m3"})
	if now := invocation("m4", "web@web-0.service"); now == before {
		t.Errorf("invocation %s as before: it was not restarted", now)
	}
	if now := x.machines["m4"].Show("web@web-0.service", "Environment"); now != epoch {
		t.Errorf("environment %q, want %q", now, epoch)
	}
	x.calm("m1")

	t.Log("people drain the slot: its service runs on, and nobody reaches it")
	s := x.slot("web-0")
	x.order(failover.KindDrain, failover.DrainOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Reason: "looking"})
	x.machines["m4"].Wait("the address is gone", func() bool { return !x.net.Has("m4", "10.78.0.200") })
	if state := x.machines["m4"].Show("web@web-0.service", "ActiveState"); state != "active" {
		t.Errorf("its unit is %s", state)
	}
	x.order(failover.KindDrain, failover.DrainOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Back: true, Reason: "looked"})
	x.served(map[member.SlotID]member.ID{"web-0": "m4", "web-1": "m3"})

	t.Log("people switch over: the spare's unit is started, the old one is stopped")
	since = head()
	x.order(failover.KindSwitchover, failover.SwitchoverOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, To: "m2", Reason: "new kernel"})
	x.ended("web-0", since, failover.OutcomeSwitched)
	x.served(map[member.SlotID]member.ID{"web-0": "m2", "web-1": "m3"})
	x.stopped("m4", "web-0")
	x.calm("m1")

	t.Log("a machine is lost: a spare's unit is started")
	since = head()
	x.machines["m3"].Off()
	x.ended("web-1", since, failover.OutcomeReplaced)
	taken := x.slot("web-1").Occupant
	if taken != "m1" && taken != "m4" {
		t.Fatalf("web-1 is of %s, want a spare", taken)
	}
	x.served(map[member.SlotID]member.ID{"web-0": "m2", "web-1": taken})
	time.Sleep(time.Second) // nothing follows
	if state := x.machines[taken].Show("web@web-1.service", "ActiveState"); state != "active" {
		t.Errorf("its unit is %s", state)
	}
}

func (x *booted) slot(id member.SlotID) status.Slot {
	x.t.Helper()
	p := x.await("m1", "slot "+string(id), func(p status.Page) bool {
		return slices.ContainsFunc(p.Slots, func(s status.Slot) bool { return s.ID == id })
	})
	return p.Slots[slices.IndexFunc(p.Slots, func(s status.Slot) bool { return s.ID == id })]
}
