//go:build real

package daemon

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/member"
	"moonwatch/status"
)

// TestAWithdrawnCertificateExpelsAMember of three agents on real sockets: its connections
// are cut and none comes up, nothing that it says counts, and its slot moves by a verdict
// although its agent and its service run on. A new key brings it back; the council keeps
// its quorum, and an operator whose key is withdrawn orders nothing.
func TestAWithdrawnCertificateExpelsAMember(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3"})
	f.until("m1", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 2))
	p := f.until("m1", "two slots are served, and a spare is ready", 90*time.Second, func(p status.Page) bool {
		serving := 0
		for _, s := range p.Slots {
			if s.State == status.SlotServing {
				serving++
			}
		}
		return serving == 2 && len(p.Pools) == 1 && p.Pools[0].Free == 1
	})
	victim, slot := p.Slots[0].Occupant, p.Slots[0].ID
	var others []member.ID
	for _, n := range f.names {
		if n != victim {
			others = append(others, n)
		}
	}
	here := others[0]
	f.until(here, "it has met the victim", 60*time.Second, func(p status.Page) bool {
		m := memberOf(p, victim)
		return m.Cert != nil && m.Cert.Until.After(time.Now().Add(80*24*time.Hour))
	})
	agent, err := client.New("unix:" + f.config(here).Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	alice, bob := f.operator("alice", true), f.operator("bob", true)
	revoke := func(id member.ID, force bool) consensus.Revoke {
		return consensus.Revoke{Member: id, Key: f.agents[id].keys.Pair().PublicKey(), Reason: "its disk was stolen", Force: force}
	}

	began := time.Now()
	if o := f.hands(agent, f.signs(alice, consensus.KindRevoked, revoke(victim, false))); o.State != client.Accepted {
		t.Fatalf("%+v", o)
	}
	for _, n := range others {
		f.until(n, "it is expelled, by a verdict, and a spare has its slot", 120*time.Second, func(p status.Page) bool {
			m := memberOf(p, victim)
			return m.Expelled != "" && m.Verdict == consensus.VerdictDown && slotOf(p, slot).Occupant != victim && slotOf(p, slot).State == status.SlotServing
		})
	}
	t.Logf("from the order to the spare: %v", time.Since(began))
	f.until(victim, "it hears of no council", 60*time.Second, func(p status.Page) bool { return !p.Council.Quorum })

	// Its service never stopped, and its agent runs: this is no crash.
	if c, err := net.DialTimeout("tcp", net.JoinHostPort(f.addrs[victim].String(), strconv.Itoa(f.port)), 5*time.Second); err != nil {
		t.Errorf("its service: %v", err)
	} else {
		c.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	command, err := f.signs(alice, failover.KindHold, failover.HoldGiven{Kind: failover.HoldOnly, Scope: failover.Fleet, Reason: "x", Until: time.Now().Add(time.Hour)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.agents[victim].link.Submit(ctx, here, command); err == nil {
		t.Error("a command that it hands in is taken")
	}
	if _, _, err := f.agents[here].link.Ask(ctx, f.agents[victim].link.Addr().String()); err == nil || !strings.Contains(err.Error(), "certificate withdrawn in fact") {
		t.Errorf("asked who it is: %v", err)
	}

	// Started again with the same key it is where it was.
	f.stop(victim)
	f.start(victim)
	time.Sleep(3 * time.Second) // it has had the time to be let in
	if m := memberOf(f.agents[here].Page(), victim); m.Expelled == "" || m.Verdict != consensus.VerdictDown {
		t.Errorf("after a start with its old key: %+v", m)
	}

	// The second of three councillors is not let go, and then is, if somebody insists: not here.
	o := f.hands(agent, f.signs(alice, consensus.KindRevoked, revoke(others[1], false)))
	if o.State != client.Refused || !strings.Contains(o.Reason, "the council could decide nothing any more") {
		t.Errorf("the second councillor: %+v", o)
	}

	// Bob is withdrawn by alice, and can order nothing: neither a hold nor a revenge.
	if o := f.hands(agent, f.signs(alice, consensus.KindRevoked, consensus.Revoke{Operator: "bob", Key: bob.PublicKey(), Reason: "he has left"})); o.State != client.Accepted {
		t.Fatalf("%+v", o)
	}
	for kind, payload := range map[consensus.FactKind]any{
		failover.KindHold:     failover.HoldGiven{Kind: failover.Freeze, Scope: failover.Fleet, Reason: "x", Until: time.Now().Add(time.Hour)},
		consensus.KindRevoked: consensus.Revoke{Operator: "alice", Key: alice.PublicKey(), Reason: "revenge"},
	} {
		if o := f.hands(agent, f.signs(bob, kind, payload)); o.State != client.Refused || !strings.Contains(o.Reason, "the key of operator bob was withdrawn") {
			t.Errorf("%s by bob: %+v", kind, o)
		}
	}
	if page := f.agents[here].Page(); len(page.Withdrawn) != 2 || page.Withdrawn[0].Operator != "bob" || page.Withdrawn[1].Member != victim {
		t.Errorf("withdrawn: %+v", page.Withdrawn)
	}

	// With a certificate of another key it is a member again.
	f.stop(victim)
	dir := filepath.Join(f.dir, string(victim))
	for _, file := range []string{"cert.pem", "key.pem"} {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := f.ca.Issue(victim, []string{f.addrs[victim].String()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.Save(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	f.start(victim)
	f.until(victim, "it hears the council", 60*time.Second, func(p status.Page) bool { return p.Council.Quorum && p.Knowledge.Current })
	f.until(here, "it is up again", 150*time.Second, func(p status.Page) bool {
		m := memberOf(p, victim)
		return m.Expelled == "" && m.Verdict == "" && m.Cert != nil && m.Cert.Revoked == 0
	})
}

func memberOf(p status.Page, id member.ID) status.Member {
	for _, m := range p.Members {
		if m.ID == id {
			return m
		}
	}
	return status.Member{}
}

func slotOf(p status.Page, id member.SlotID) status.Slot {
	for _, s := range p.Slots {
		if s.ID == id {
			return s
		}
	}
	return status.Slot{}
}
