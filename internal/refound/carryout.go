package refound

import (
	"errors"
	"fmt"

	"moonwatch/consensus"
	"moonwatch/member"
)

// CarryOut writes a refounding to the bearer's data folder: its fact, and the
// beginning of a new raft log. It changes nothing where anything does not fit, and is
// repeated after a crash.
func CarryOut(dir string, r consensus.Refounding) (p consensus.RefoundPlan, err error) {
	o, err := open(dir)
	if err != nil {
		return p, fmt.Errorf("recover: %w", err)
	}
	defer func() { err = errors.Join(err, o.store.Close()) }()
	if p, err = o.carryOut(r); err != nil {
		return p, fmt.Errorf("recover on %s: %w", o.about.Member, err)
	}
	return p, nil
}

func (o *opened) carryOut(r consensus.Refounding) (consensus.RefoundPlan, error) {
	p, err := o.ledger.Verify(r)
	switch {
	case err != nil:
		return p, err
	case o.about.Member != p.Bearer:
		return p, fmt.Errorf("the plan goes on from the ledger of %s: carry it out there; here it is enough to start the agent", p.Bearer)
	case p.Number < o.ledger.Refounded() || p.Number == o.ledger.Refounded() && o.boot.Raft.Seat == seatOf(p, p.Bearer).ID:
		return p, fmt.Errorf("refounding %d stands in this ledger already: start the agent", p.Number)
	case seatOf(p, p.Bearer).Disk != o.id:
		return p, fmt.Errorf("the plan is for the ledger's file %s, this is %s: it was made anew since the survey", seatOf(p, p.Bearer).Disk, o.id)
	case p.Number == o.ledger.Refounded():
		return p, o.begin(p, nil) // a crash had come between fact and log
	}
	facts, _, _, err := o.agreeAll()
	if err != nil {
		return p, err
	}
	if o.ledger.Head() != p.Head {
		return p, fmt.Errorf("the plan goes on after fact %d, this ledger ends with %d: its agent ran since the survey, so survey and sign anew", p.Head, o.ledger.Head())
	}
	f, err := o.ledger.Refound(r)
	if err != nil {
		return p, err
	}
	return p, o.begin(p, append(facts, f))
}

// begin writes the new raft log behind the facts.
func (o *opened) begin(p consensus.RefoundPlan, facts []consensus.Fact) error {
	whole, err := o.ledger.Snapshot()
	if err != nil {
		return err
	}
	begin, err := p.Begin(whole)
	if err != nil {
		return err
	}
	return errors.Join(o.store.Keep(facts), o.store.Persist(begin))
}

func seatOf(p consensus.RefoundPlan, id member.ID) consensus.Seat {
	for _, s := range p.Council {
		if s.Member == id {
			return s
		}
	}
	return consensus.Seat{}
}
