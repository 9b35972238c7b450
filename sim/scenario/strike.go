package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/sim"
)

// waiting is a step that waits for something to happen.
type waiting struct {
	step  *PlanStep
	times int // that it has happened
	over  bool
}

// arrange lets all steps happen in their time.
func (r *run) arrange() {
	for i := range r.plan.Steps {
		s := &r.plan.Steps[i]
		if s.As != "" && s.Do != Mend && len(s.Whom) == 0 {
			r.eye.struck[s.As] = s.Members
		}
		switch {
		case s.On != nil:
			r.waiting = append(r.waiting, &waiting{step: s})
			if s.Within > 0 {
				x := r.waiting[len(r.waiting)-1]
				r.w.At(time.Duration(s.Within), func() { r.tooLate(x) })
			}
		case s.Do != Mend && len(s.Whom) == 0 && len(s.Other) == 0:
			f := s.fault(time.Duration(s.At), s.Members, s.Others)
			r.w.Strike(f)
			r.book(s, f)
		default:
			r.w.At(time.Duration(s.At), func() { r.strike(s) })
		}
	}
}

// tooLate ends the waiting of a step that had to strike by now.
func (r *run) tooLate(x *waiting) {
	if !x.over {
		x.over = true
		r.late = append(r.late, fmt.Sprintf("step %d: %s has not happened by %s", x.step.ID, x.step.On, x.step.Within))
	}
}

// see lets steps strike that have waited for what happens. They do so a
// nanosecond later at the earliest: so a plan in which they stand with that time
// plays the same.
func (r *run) see(h sim.Happening) {
	for _, x := range r.waiting {
		if x.over || !r.meant(*x.step.On, h) {
			continue
		}
		if x.times++; x.times < max(1, x.step.Nth) {
			continue
		}
		x.over = true
		s := x.step
		r.w.At(h.At+max(time.Nanosecond, time.Duration(s.After)), func() { r.strike(s) })
	}
}

// strike does a step now. One that finds nobody does nothing, and is no story
// that anybody meant, nor is one that finds fewer than it draws.
func (r *run) strike(s *PlanStep) {
	now := r.w.Now()
	if s.Do == Mend {
		r.mend(s)
		return
	}
	whom, other := s.Members, s.Others
	r.eye.short = nil
	if len(s.Whom) > 0 {
		whom, _ = r.eye.whom(roll(r.plan.Seed, s.ID, forWhom), s.Whom, s.Except)
	}
	if len(s.Other) > 0 {
		other, _ = r.eye.whom(roll(r.plan.Seed, s.ID, forOther), s.Other, nil)
	}
	if s.As != "" {
		r.eye.struck[s.As] = whom
	}
	switch {
	case len(s.Whom) > 0 && len(whom) == 0:
		r.idle(s, "struck nobody: nobody is "+inList(s.Whom))
		return
	case len(s.Other) > 0 && len(other) == 0:
		r.idle(s, "struck nobody: nobody is "+inList(s.Other))
		return
	case len(r.eye.short) > 0:
		r.idle(s, "struck too few: "+strings.Join(r.eye.short, ", "))
	}
	f := s.fault(now, whom, other)
	r.w.Begin(f)
	r.book(s, f)
}

// idle books a step that did less than it says.
func (r *run) idle(s *PlanStep, what string) {
	text := fmt.Sprintf("step %d (%s) %s", s.ID, s.Do, what)
	r.idled = append(r.idled, text)
	if r.teller != nil {
		r.teller.tell(Event{Lane: LaneChecker, State: "idle", Raw: "idle", Text: text})
	}
}

// neverCame are the steps that wait for what has not happened. Without within
// that is fine, and worth a word.
func (r *run) neverCame() []string {
	var out []string
	for _, x := range r.waiting {
		if !x.over {
			times := ""
			if n := max(1, x.step.Nth); n > 1 {
				times = fmt.Sprintf(" %d times", n)
			}
			out = append(out, fmt.Sprintf("step %d (%s) did nothing: %s has not happened%s", x.step.ID, x.step.Do, x.step.On, times))
		}
	}
	return out
}

// inList is what selectors mean together, in words.
func inList(sels []Selector) string {
	var all []string
	for _, s := range sels {
		all = append(all, s.String())
	}
	return strict.Words(all, "or")
}

// book remembers a fault for whoever mends it, and for the plan as it was
// really played.
func (r *run) book(s *PlanStep, f sim.Fault) {
	if f.For == 0 {
		r.going[s.ID] = append(r.going[s.ID], f)
	}
	x := stepOf(s.ID, f)
	x.As = s.As
	r.done = append(r.done, x)
}

// mend ends the faults of earlier steps.
func (r *run) mend(s *PlanStep) {
	for _, id := range s.Mends {
		for _, f := range r.going[id] {
			r.w.End(f)
		}
		delete(r.going, id)
	}
	r.done = append(r.done, PlanStep{ID: s.ID, At: Duration(r.w.Now()), Do: Mend, Mends: s.Mends})
}

// realised is the plan with everything found out. What never struck is not in
// it.
func (r *run) realised() *Plan {
	p := *r.plan
	p.Steps = slices.Clone(r.done)
	slices.SortStableFunc(p.Steps, func(a, b PlanStep) int { return int(a.At - b.At) })
	p.Expect = Expectations{}
	return &p
}
