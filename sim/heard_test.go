package sim

import (
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// given hands a hold in at one agent alone, and asks nobody else.
func (w *World) given(at member.ID, s failover.Scope, lasts time.Duration) {
	p := failover.HoldGiven{Kind: failover.HoldOnly, Scope: s, Reason: "no council", By: "root", Until: w.time().Add(lasts)}
	c, err := consensus.NewCommand(failover.KindHold, "hold/of-"+string(at), at, w.time(), p)
	if err != nil {
		panic(err)
	}
	b, err := c.Encode()
	if err != nil {
		panic(err)
	}
	w.machine(at).step(mind.Submitted{Command: b})
}

// A hold that is given to an agent while there is no council quorum reaches all
// agents by gossip, and is a fact when the council is back: before whoever leads then
// has replaced anybody.
func TestAHoldIsGossipedWhileThereIsNoCouncil(t *testing.T) {
	for seed := range uint64(6) {
		cfg := Demo()
		cfg.Seed = seed
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		must(t, w.Run(20*time.Second))
		majority := cfg.Council[:len(cfg.Council)/2+1]
		w.Begin(Fault{Do: KillAgent, Whom: majority})
		must(t, w.Run(10*time.Second))
		at := cfg.Council[len(cfg.Council)-1]
		w.given(at, failover.Fleet, 10*time.Minute)
		must(t, w.Run(12*time.Second))
		for _, m := range w.machines {
			if m.mind != nil && len(m.mind.Unconfirmed()) != 1 {
				t.Errorf("seed %d: %s has heard of %d holds", seed, m.id, len(m.mind.Unconfirmed()))
			}
		}
		victim := w.State().Slots()[seed%5].Occupant
		w.Begin(Fault{Do: Crash, Whom: ids(victim)})
		for _, id := range majority {
			if id != victim {
				w.End(Fault{Do: KillAgent, Whom: ids(id)})
			}
		}
		must(t, w.Run(time.Minute))
		if n := w.Counted().Replaced; n != 0 {
			t.Errorf("seed %d: %d replacements under a hold", seed, n)
		}
		if len(w.State().Holds(w.time())) != 1 {
			t.Errorf("seed %d: it is no fact", seed)
		}
		for _, m := range w.machines {
			if m.mind != nil && len(m.mind.Unconfirmed()) != 0 {
				t.Errorf("seed %d: to %s it is still unconfirmed", seed, m.id)
			}
		}
	}
}
