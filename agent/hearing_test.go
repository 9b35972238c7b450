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
