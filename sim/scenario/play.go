package scenario

import (
	"fmt"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/sim"
)

// PlayOptions say what is wanted of a run besides its result. None of them
// changes what happens in it.
type PlayOptions struct {
	Story   bool   // the result tells all
	Twice   bool   // play it twice: another trace is NotDeterministic
	Realise bool   // the result has the plan with everything found out: concrete times and members
	Events  uint64 // give up after so many events, 0: never
}

// Play plays a plan in virtual time and judges it. The error means that there
// is nothing to judge: the plan cannot be played, or it takes more than
// PlayOptions.Events.
//
// A sim.World owns the process's crypto/rand.Reader: one Play at a time in a
// process.
func Play(p *Plan, opt PlayOptions) (*Result, error) {
	r, err := playOnce(p, opt)
	if err != nil || !opt.Twice {
		return r, err
	}
	again, err := playOnce(p, PlayOptions{Events: opt.Events})
	if err != nil {
		return nil, err
	}
	if r.Trace != again.Trace || r.Outcome != again.Outcome {
		r.Outcome, r.Promise = NotDeterministic, "same plan, same bytes"
		r.Broken = fmt.Sprintf("trace %s after %d events, and %s after %d when it is played again", r.Trace, r.Events, again.Trace, again.Events)
	}
	return r, nil
}

// run is one playing of a plan.
type run struct {
	plan    *Plan
	opt     PlayOptions
	w       *sim.World
	eye     eye
	waiting []*waiting
	going   map[int][]sim.Fault // faults without an end, by the step that began them
	done    []PlanStep          // as they were really done
	late    []string            // steps that had to strike by a time and have not
	idled   []string            // steps that found nobody, or fewer than they draw
	witness *witness
	teller  *teller // nil: nobody asked for the story

	troubles []sim.Trouble // what is still not well
}

// look is how long a run goes on between two looks at the whole fleet.
const look = time.Second

// settling is how long a run goes on between two questions whether all is well.
const settling = 10 * time.Second

func playOnce(p *Plan, opt PlayOptions) (*Result, error) {
	w, err := sim.New(p.World.config(p.Seed))
	if err != nil {
		return nil, fmt.Errorf("play %s: %w", p.Scenario, err)
	}
	g, err := p.World.ground()
	if err != nil {
		return nil, fmt.Errorf("play %s: %w", p.Scenario, err)
	}
	r := &run{plan: p, opt: opt, w: w, going: map[int][]sim.Fault{}, witness: newWitness(w, g)}
	r.eye.g, r.eye.w = g, w
	r.eye.struck = map[string][]member.ID{}
	w.Watch(r.witness.see)
	if opt.Story || p.Expect.needStory() {
		r.teller = newTeller(w, g, r.witness)
		w.Watch(r.teller.see)
	}
	w.Watch(r.see)
	r.arrange()
	if err := r.through(time.Duration(p.Storm)); err != nil {
		return nil, err
	}
	for end := time.Duration(p.Storm + p.Settle); w.Broken() == nil && w.Now() < end; {
		if err := r.through(min(w.Now()+settling, end)); err != nil {
			return nil, err
		}
		if r.troubles = w.Unsettled(); len(r.troubles) == 0 {
			break
		}
	}
	if w.Broken() == nil {
		_ = w.Audit() // what it finds is in Broken
	}
	return r.judge(), nil
}

// through plays until a time, or until a promise is broken.
func (r *run) through(until time.Duration) error {
	for r.w.Now() < until && r.w.Broken() == nil {
		r.advance(min(look, until-r.w.Now()))
		r.witness.sample()
		if r.teller != nil {
			r.teller.sample()
		}
		if r.opt.Events > 0 && r.w.Events() > r.opt.Events {
			return fmt.Errorf("play %s with seed %d: more than %d events after %s of virtual time", r.plan.Scenario, r.plan.Seed, r.opt.Events, strict.Short(r.w.Now()))
		}
	}
	return nil
}

// advance plays for d and lets the witness look after every event that may
// concern it.
func (r *run) advance(d time.Duration) {
	_ = r.w.RunUntil(d, func() bool { // it says that d is over, or what Broken says
		r.witness.look()
		return false
	})
}
