package agent

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// rig is the world of one observer: subjects that answer as they are told to,
// and a clock that jumps from one Wake or arrival to the next.
type rig struct {
	t        testing.TB
	obs      *Observer
	now      time.Time
	subjects map[member.ID]*partner
	coming   []arrival
	n        int // arrivals so far, to keep equal times in order
	acks     bool
	way      time.Duration // from a statement to its acknowledgement
	late     time.Duration // by how much the observer is called too late

	seen func(at time.Duration, e Effect)
}

// partner is one subject as the observer meets it.
type partner struct {
	rtt     time.Duration
	pattern string // of its probes, repeated: x is lost, . is answered; 40% is chance
	chance  *rand.Rand
	probes  int
	life    member.Incarnation
	report  Report
	service string // good, refused, silent, unasked; empty: never ends
}

func (p *partner) loses() bool {
	if share, isShare := strings.CutSuffix(p.pattern, "%"); isShare {
		n, _ := strconv.Atoi(share)
		return p.chance.IntN(100) < n
	}
	p.probes++
	return p.pattern[(p.probes-1)%len(p.pattern)] == 'x'
}

type arrival struct {
	at time.Time
	n  int
	ev Event
}

func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return &rig{
		t: t, obs: NewObserver(cfg, "me", 1, noon), now: noon, acks: true, way: time.Millisecond,
		subjects: map[member.ID]*partner{}, seen: func(time.Duration, Effect) {},
	}
}

func (r *rig) subject(id member.ID) *partner {
	p := r.subjects[id]
	if p == nil {
		p = &partner{
			rtt: 2 * time.Millisecond, pattern: ".", life: 1, service: "good",
			chance: rand.New(rand.NewPCG(1, uint64(member.Phase(string(id), time.Hour)))),
		}
		r.subjects[id] = p
	}
	return p
}

// watch lists the subjects; council hears the statements.
func (r *rig) watch(epoch member.RosterEpoch, council []member.ID, subjects ...Subject) {
	members := []member.Member{{ID: "me", Domain: "d"}}
	for _, s := range subjects {
		members = append(members, member.Member{ID: s.ID, Domain: "d"})
	}
	r.roster(member.NewRoster(epoch, members), council, subjects...)
}

func (r *rig) roster(roster *member.Roster, council []member.ID, subjects ...Subject) {
	slices.SortFunc(subjects, func(a, b Subject) int { return cmp.Compare(a.ID, b.ID) })
	r.step(Watch{Roster: roster, Subjects: subjects, Councillors: council})
}

func (r *rig) after(d time.Duration, ev Event) {
	r.n++
	r.coming = append(r.coming, arrival{r.now.Add(d), r.n, ev})
	slices.SortFunc(r.coming, func(a, b arrival) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.n, b.n)) })
}

// step hands one event in and lets the world react to what the observer wants.
func (r *rig) step(ev Event) {
	for _, e := range r.obs.Step(r.now, ev) {
		r.seen(r.now.Sub(noon), e)
		switch e := e.(type) {
		case SendProbes:
			for _, p := range e.Probes {
				r.answer(p)
			}
		case RunCheck:
			r.check(e)
		case Publish:
			for _, by := range e.To {
				if r.acks && e.Statement.Acknowledge {
					r.after(r.way, Acknowledged{By: by, Seq: e.Statement.Seq})
				}
			}
		}
	}
}

func (r *rig) answer(p Probe) {
	s := r.subject(p.Subject)
	if !s.loses() {
		r.after(s.rtt, ProbesAnswered{Answers: []Answer{{
			Subject: p.Subject, Seq: p.Seq, RTT: s.rtt, Incarnation: s.life, Report: s.report,
		}}})
	}
}

func (r *rig) check(c RunCheck) {
	done := Checked{Subject: c.Subject, Seq: c.Seq}
	after := 3 * time.Millisecond
	switch r.subject(c.Subject).service {
	case "good":
		done.Good = true
	case "refused":
		done.Detail = "connection refused"
	case "silent":
		done.Silent, after = true, c.Timeout
	case "unasked":
		done.Unasked = true
	default:
		return
	}
	r.after(after, done)
}

// run lets time pass. A busy loop is a failure: the observer may be woken only
// a bounded number of times without time passing.
func (r *rig) run(d time.Duration) {
	r.t.Helper()
	end := r.now.Add(d)
	stuck := 0
	for {
		at := r.obs.Wake().Add(r.late)
		arrives := len(r.coming) > 0 && !r.coming[0].at.After(at)
		if arrives {
			at = r.coming[0].at
		}
		if at.After(end) {
			r.now = end
			return
		}
		if at.After(r.now) {
			r.now, stuck = at, 0
		} else if stuck++; stuck > 100 {
			r.t.Fatalf("after %v: woken 100 times and no time passed", r.now.Sub(noon))
		}
		ev := Event(Woken{})
		if arrives {
			ev = r.coming[0].ev
			r.coming = r.coming[1:]
		}
		r.step(ev)
	}
}

// stall stops the observer: what arrives meanwhile comes in one heap.
func (r *rig) stall(d time.Duration) {
	r.now = r.now.Add(d)
	for len(r.coming) > 0 && !r.coming[0].at.After(r.now) {
		ev := r.coming[0].ev
		r.coming = r.coming[1:]
		r.step(ev)
	}
	r.step(Woken{})
}

// words puts a statement into one line without its changing numbers.
func words(s Statement) string {
	var parts []string
	if s.Abstains != "" {
		parts = append(parts, "abstains: "+string(s.Abstains))
	}
	if len(s.Unreachable) > 0 {
		parts = append(parts, fmt.Sprintf("unreachable %v", s.Unreachable))
	}
	for _, v := range s.Votes {
		line := fmt.Sprintf("%s %s %s (%s)", v.Subject, v.Kind, v.Stance, v.Reason)
		if !v.Roll.IsZero() {
			line += fmt.Sprintf(" to roll call %d.%d", v.Roll.Term, v.Roll.N)
		}
		parts = append(parts, line)
	}
	if len(parts) == 0 {
		return "nothing to report"
	}
	return strings.Join(parts, "; ")
}

// said collects the distinct statements in order.
func (r *rig) listen() *[]string {
	var said []string
	r.seen = func(_ time.Duration, e Effect) {
		if p, ok := e.(Publish); ok {
			if w := words(p.Statement); len(said) == 0 || said[len(said)-1] != w {
				said = append(said, w)
			}
		}
	}
	return &said
}
