package agent

import (
	"testing"
	"time"

	"moonwatch/member"
)

func TestOneAnswerTwiceIsOneAnswer(t *testing.T) {
	r := newRig(t, Default())
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2 * time.Second)
	r.subject("b").pattern = "x"
	r.run(2 * time.Second)
	e := r.obs.edge("b")
	for len(e.flying) == 0 {
		r.run(time.Millisecond)
	}
	a := Answer{Subject: "b", Seq: e.flying[0].seq, RTT: time.Millisecond, Incarnation: 1}
	r.step(ProbesAnswered{Answers: []Answer{a}})
	r.step(ProbesAnswered{Answers: []Answer{a}}) // the network brought it twice
	if !e.silence {
		t.Error("one answer that came twice lifted the accusation")
	}
}

func TestAGrowingFleetMakesItsObserversSpeak(t *testing.T) {
	r := newRig(t, Default())
	var subjects []Subject
	for _, id := range []member.ID{"b", "c", "d"} {
		subjects = append(subjects, Subject{ID: id})
	}
	roster := func(n int) *member.Roster {
		ms := []member.Member{{ID: "me", Domain: "d"}}
		for len(ms) < n {
			ms = append(ms, member.Member{ID: member.ID(string(rune('a' + len(ms)))), Domain: "d"})
		}
		return member.NewRoster(member.RosterEpoch(n), ms)
	}
	r.roster(roster(10), []member.ID{"c1"}, subjects...)
	r.run(3 * time.Second)
	n := 0
	r.seen = func(_ time.Duration, e Effect) {
		if _, ok := e.(Publish); ok {
			n++
		}
	}
	r.roster(roster(20), []member.ID{"c1"}, subjects...)
	r.run(5 * time.Second)
	if n < 5 {
		t.Errorf("%d statements in 5 s: nobody probes it, nobody hears it", n)
	}
}

// TestInAMassFailureAnObserverIsStillHeard keeps an observer whose votes are
// renewed seldom from being taken for silent, and so from losing its seat.
func TestInAMassFailureAnObserverIsStillHeard(t *testing.T) {
	r := newRig(t, Default())
	var subjects []Subject
	ms := []member.Member{{ID: "me", Domain: "d"}}
	for i := range 20 {
		id := member.ID(rune('a' + i))
		ms = append(ms, member.Member{ID: id, Domain: "d"})
		if i < 8 {
			subjects = append(subjects, Subject{ID: id})
		}
	}
	r.roster(member.NewRoster(1, ms), []member.ID{"c1"}, subjects...)
	r.run(2 * time.Second)
	for _, s := range subjects[:5] {
		r.subject(s.ID).pattern = "x"
	}
	r.run(3 * time.Second)
	last, votes := r.now, 0
	r.seen = func(_ time.Duration, e Effect) {
		p, ok := e.(Publish)
		if !ok {
			return
		}
		if gap := r.now.Sub(last); gap > r.obs.cfg.Presence+r.obs.cfg.ReprobeInterval {
			t.Errorf("nothing is heard for %v", gap)
		}
		last = r.now
		if len(p.Statement.Votes) > 0 {
			votes++
		}
	}
	r.run(10 * time.Second)
	if votes == 0 || votes > 4 {
		t.Errorf("its votes were said %d times in 10 s, want every 5 s", votes)
	}
}
