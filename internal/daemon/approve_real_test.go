//go:build real

package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/client"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/status"
)

// operator makes a key that this cluster's CA has granted, or one that it has not.
func (f *fleet) operator(name string, granted bool) *pki.OperatorKey {
	f.t.Helper()
	key, err := pki.NewOperatorKey(name)
	if err != nil {
		f.t.Fatal(err)
	}
	ca := f.ca
	if !granted {
		if ca, err = pki.NewCA(cluster, time.Now()); err != nil { // of the same name, and another one
			f.t.Fatal(err)
		}
	}
	key.Grant = ca.Sign(consensus.GrantText(cluster, name, key.PublicKey()))
	return key
}

// signs puts an operator's signature under a command.
func (f *fleet) signs(key *pki.OperatorKey, kind consensus.FactKind, payload any) consensus.Command {
	f.t.Helper()
	c, err := consensus.NewCommand(kind, fmt.Sprintf("%s/%d", kind, rand.Uint64()), "m1", time.Now(), payload)
	if err != nil {
		f.t.Fatal(err)
	}
	c.Warrant = &consensus.Warrant{Operator: key.Name, Key: key.PublicKey(), Grant: key.Grant, Signature: key.Sign(consensus.SignedText(cluster, c))}
	return c
}

// hands a command in through an agent's socket, and waits for what the council says.
func (f *fleet) hands(agent *client.Client, c consensus.Command) client.Outcome {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := agent.Submit(ctx, c); err != nil {
		f.t.Fatal(err)
	}
	o, err := agent.Wait(ctx, c.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

// TestTwoOperatorsProveAFenceOverRealSockets: an occupant whose stop nothing proves
// dies. One operator's word is not enough, nor that of one whom another CA granted;
// two who mean the same plan are, and every agent knows who they were, also one that
// is started anew.
func TestTwoOperatorsProveAFenceOverRealSockets(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4", "m5"})
	f.until("m1", "a leader", 30*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	fl := testFleet(f, 4)
	fl.Pools[0].Fence = []string{"self"}
	f.apply(fl)
	f.until("m1", "all slots served, and a spare", 60*time.Second, func(p status.Page) bool {
		n := 0
		for _, s := range p.Slots {
			if s.State == status.SlotServing {
				n++
			}
		}
		return n == 4 && len(p.Pools) == 1 && p.Pools[0].Free == 1
	})
	f.unserve("m4")
	f.stop("m4")
	held := func(by failover.HeldReason) func(status.Page) bool {
		return func(p status.Page) bool { return len(p.Cases) == 1 && p.Cases[0].Held == by }
	}
	c := f.until("m1", "the case is held", 60*time.Second, held(failover.HeldFence)).Cases[0]

	agent, err := client.New("unix:" + f.config("m1").Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	alice, bob, mallory := f.operator("alice", true), f.operator("bob", true), f.operator("mallory", false)
	ask := failover.Requested{Act: failover.ActFenced, Case: c.Index, For: 10 * time.Minute, Reason: "I have pulled its plug"}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := agent.Rehearse(ctx, "request", ask)
	if err != nil || r.Refused != "" || r.Plan == "" {
		t.Fatalf("%+v: %v", r, err)
	}
	ask.Plan = r.Plan
	refused := func(o client.Outcome, want string) {
		t.Helper()
		if o.State != client.Refused || !strings.Contains(o.Reason, want) {
			t.Errorf("%+v, want a refusal with %q", o, want)
		}
	}
	refused(f.hands(agent, f.signs(mallory, failover.KindRequest, ask)), "has no grant of this cluster's CA")
	o := f.hands(agent, f.signs(alice, failover.KindRequest, ask))
	if o.State != client.Accepted {
		t.Fatalf("%+v", o)
	}
	f.until("m2", "it waits for people", 30*time.Second, held(failover.HeldApproval))
	yes := failover.Answered{Request: o.Fact, Approve: true, Plan: r.Plan}
	refused(f.hands(agent, f.signs(alice, failover.KindAnswer, yes)), "another operator has to approve it")
	refused(f.hands(agent, f.signs(mallory, failover.KindAnswer, yes)), "has no grant of this cluster's CA")
	other := yes
	other.Plan = strings.Repeat("0", 64)
	refused(f.hands(agent, f.signs(bob, failover.KindAnswer, other)), "two have to mean the same")
	forged := f.signs(bob, failover.KindAnswer, yes)
	forged.Payload = []byte(strings.Replace(string(forged.Payload), `"approve":true`, `"approve":true,"reason":"x"`, 1))
	refused(f.hands(agent, forged), "does not fit the command")

	approval := f.signs(bob, failover.KindAnswer, yes)
	if o := f.hands(agent, approval); o.State != client.Accepted {
		t.Fatalf("%+v", o)
	}
	p := f.until("m1", "the spare serves", 60*time.Second, func(p status.Page) bool {
		return p.Cases[0].Spare == "m5" && p.Cases[0].Proof == "people" && p.Slots[3].Occupant == "m5"
	})
	if by := p.Requests[0]; by.By != "alice" || by.AnsweredBy != "bob" || by.State != failover.RequestOver {
		t.Errorf("%+v", by)
	}
	if o := f.hands(agent, approval); o.State != client.Accepted { // the same bytes again: they stand there, once
		t.Errorf("%+v", o)
	}
	refused(f.hands(agent, f.signs(bob, failover.KindAnswer, yes)), "it was approved by bob already")

	f.stop("m2")
	f.start("m2")
	f.until("m2", "the restarted agent knows who allowed it", 60*time.Second, func(p status.Page) bool {
		return len(p.Requests) == 1 && p.Requests[0].By == "alice" && p.Requests[0].AnsweredBy == "bob" && p.Slots[3].Occupant == "m5"
	})
	n := 0
	for _, line := range f.agents["m2"].Page().Facts {
		if line.Kind == failover.KindAnswer && line.Accepted {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d accepted approvals, want the one", n)
	}
}
