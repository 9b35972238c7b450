package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moonwatch/member"
)

// deed is one thing that the weather does to the observer.
type deed struct {
	kind  int
	who   member.ID
	n     int
	wait  time.Duration
	stall bool
}

func deeds(t *rapid.T) []deed {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
		return deed{
			kind:  rapid.IntRange(0, 9).Draw(t, "kind"),
			who:   member.ID(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "stranger"}).Draw(t, "who")),
			n:     rapid.IntRange(0, 40).Draw(t, "n"),
			wait:  time.Duration(rapid.SampledFrom([]int{0, 7, 130, 900, 2500, 6000, 21000}).Draw(t, "wait")) * time.Millisecond,
			stall: rapid.IntRange(0, 9).Draw(t, "stall") == 0,
		}
	}), 10, 40).Draw(t, "deeds")
}

// play does the deeds to a new observer and writes its effects down.
func play(t testing.TB, script []deed) string {
	var b strings.Builder
	r := newRig(t, Default())
	r.seen = func(at time.Duration, e Effect) { fmt.Fprintf(&b, "%v %+v\n", at, e) }
	watch := func(n int) {
		subjects := []Subject{{ID: "b"}, {ID: "c"}, {ID: "d"}}
		for i, id := range []member.ID{"a", "e", "f"} {
			if n>>i&1 == 1 {
				subjects = append(subjects, Subject{ID: id, Service: n>>3&1 == 1, Calm: n>>3&1 == 1 && n>>4&1 == 1})
			}
		}
		r.watch(member.RosterEpoch(n), []member.ID{"c1", "c2"}[:n%3], subjects...)
	}
	watch(1 + 2 + 8 + 16)
	for _, d := range script {
		s := r.subject(d.who)
		switch d.kind {
		case 0:
			watch(d.n)
		case 1:
			s.pattern = []string{".", "x", "x.", "xx.", "50%", "10%"}[d.n%6]
		case 2:
			s.rtt = time.Duration(d.n*10) * time.Millisecond
		case 3:
			s.service = []string{"good", "refused", "silent", "unasked", ""}[d.n%5]
		case 4:
			s.life += member.Incarnation(d.n % 3)
			s.report = Report(d.n % 3)
		case 5:
			r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: uint64(d.n)}, Subjects: []member.ID{d.who, "b"}}})
		case 6: // an answer that nobody asked for, or the same one again
			r.step(ProbesAnswered{Answers: []Answer{{Subject: d.who, Seq: uint64(d.n), RTT: time.Duration(d.n) * time.Second}}})
		case 7:
			r.step(Checked{Subject: d.who, Seq: uint64(d.n), Good: d.n%2 == 0})
		case 8:
			r.step(Acknowledged{By: "c1", Seq: uint64(d.n)})
			r.acks = d.n%2 == 0
		case 9:
			r.late = time.Duration(d.n) * 10 * time.Millisecond
		}
		if d.stall {
			r.stall(d.wait)
		} else {
			r.run(d.wait)
		}
	}
	return b.String()
}

// Whatever comes, the observer neither panics nor loops, and the same events
// have the same effects. The rig fails a run in which time stands still.
func TestSameEventsSameEffects(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		script := deeds(rt)
		one, two := play(t, script), play(t, script)
		if one != two {
			rt.Fatalf("two runs differ:\n%s\n----\n%s", one, two)
		}
	})
}

// A statement never says two things about one subject and kind except a
// standing vote and a roll answer, and an abstention carries no vote.
func TestStatementsAreConsistent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, Default())
		last := uint64(0)
		r.seen = func(_ time.Duration, e Effect) {
			p, ok := e.(Publish)
			if !ok {
				return
			}
			s := p.Statement
			if s.Abstains != "" && len(s.Votes) > 0 {
				rt.Fatalf("abstains and votes: %+v", s)
			}
			if s.Abstains == "" && len(s.Unreachable) > 0 {
				rt.Fatalf("votes and names whom it cannot reach: %+v", s)
			}
			if len(p.To) == 0 {
				rt.Fatalf("said to nobody: %+v", s)
			}
			last = max(last, s.Seq)
			seen := map[string]bool{}
			for _, v := range s.Votes {
				key := fmt.Sprint(v.Subject, v.Kind, v.Roll.IsZero())
				if seen[key] {
					rt.Fatalf("two votes on %s: %s", key, words(s))
				}
				seen[key] = true
				if v.Roll.IsZero() && v.Stance == Abstain {
					rt.Fatalf("a vote without a stance: %s", words(s))
				}
			}
		}
		r.watch(1, []member.ID{"c1"}, Subject{ID: "a"}, Subject{ID: "b", Service: true, Calm: true}, Subject{ID: "c"}, Subject{ID: "d"})
		for _, d := range deeds(rt) {
			s := r.subject(d.who)
			s.pattern = []string{".", "x", "x.", "xx.", "50%", "10%"}[d.n%6]
			s.service = []string{"good", "refused", "silent"}[d.kind%3]
			if d.kind > 6 {
				r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: uint64(d.n)}, Subjects: []member.ID{d.who}}})
			}
			if d.stall {
				r.stall(d.wait)
			} else {
				r.run(d.wait)
			}
		}
	})
}
