package sim

import (
	"encoding/json"
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// Founded is the same world, founded an hour ago: it begins with the ledger in
// which every occupant has said that its service runs, and every spare not long ago
// that it is ready. A large fleet spends minutes on saying so, one fact each, and one of more than about a thousand
// members does not fit into the fact by which it would be declared
// (consensus.MaxCommand).
func Founded(cfg Config) (Config, error) {
	fold := mind.NewFold()
	state, l := fold.State, fold.Ledger
	if _, err := l.Found(consensus.Genesis{Cluster: "sim", Council: cfg.Council, Unsigned: true}); err != nil {
		return cfg, err
	}
	then := founding.Add(-time.Hour)
	add := func(c consensus.Command, err error) error {
		if err != nil {
			return err
		}
		b, err := json.Marshal(c)
		if err != nil {
			return err
		}
		f, _, err := l.Commit(l.Raft()+1, b)
		if err == nil && !f.Accepted {
			err = fmt.Errorf("found a fleet of %d members: %s", len(cfg.Fleet.Members), f.Reason)
		}
		return err
	}
	if err := add(consensus.NewCommand(consensus.KindFleet, "fleet/1", "operator", then, cfg.Fleet)); err != nil {
		return cfg, err
	}
	for _, s := range state.Slots() {
		r := failover.Report{Step: failover.StepActivate, Slot: s.ID, Epoch: s.Epoch, Done: true}
		if err := add(consensus.NewCommand(failover.KindReport, "started/"+string(s.ID), s.Occupant, then, r)); err != nil {
			return cfg, err
		}
	}
	if err := proveAll(state, l, add); err != nil {
		return cfg, err
	}
	b, err := l.Snapshot()
	if err != nil {
		return cfg, err
	}
	cfg.Begin = &Snapshot{Ledger: b, At: founding}
	return cfg, nil
}

// proveAll lets every spare say that it is ready, at times that are spread over the
// third of a proof's life after which it is renewed.
func proveAll(state *failover.State, l *consensus.Ledger, add func(consensus.Command, error) error) error {
	var spares []member.ID
	for _, m := range l.Roster().Members {
		if state.Use(m.ID).Duty == failover.Spare {
			spares = append(spares, m.ID)
		}
	}
	renewal := state.ProofLife() / 3
	for i, id := range spares {
		at := founding.Add(-renewal * time.Duration(len(spares)-i) / time.Duration(len(spares)))
		r := failover.Report{Step: failover.StepTest, Epoch: member.SlotEpoch(at.UnixMilli()), Done: true, Detail: saysReady}
		if err := add(consensus.NewCommand(failover.KindReport, "ready/"+string(id), id, at, r)); err != nil {
			return err
		}
	}
	return nil
}
