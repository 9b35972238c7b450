package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

func TestARunOfLossesGrowsWithTheWeather(t *testing.T) {
	for _, c := range []struct {
		median float64
		run    int
	}{
		{0, 4}, {0.05, 4}, {0.10, 4}, {0.11, 5}, {0.20, 6}, {0.30, 8}, {0.40, 11}, {0.46, 12}, {0.51, 14}, {0.80, 14}, {1, 14},
	} {
		cfg := Default()
		if got := runNeeded(c.median, &cfg); got != c.run {
			t.Errorf("median loss %v: %d lost probes in a row accuse, want %d", c.median, got, c.run)
		}
	}
}

func TestLossAccusesFromSixteenOfFortyAndThirtyPointsAboveTheMedian(t *testing.T) {
	for _, c := range []struct {
		lost, seen int
		median     float64
		stood      bool // before
		want       bool
	}{
		{16, 40, 0, false, true},
		{15, 40, 0, false, false},
		{16, 40, 0.10, false, true},
		{16, 40, 0.125, false, false}, // 27.5 points above
		{40, 40, 0.70, false, true},
		{40, 40, 0.75, false, false}, // everybody loses: nobody is accused
		{39, 39, 0, false, false},    // the window is not full
		{15, 40, 0, true, true},      // hysteresis: it stands on
		{6, 40, 0, true, true},       // 15 points above
		{5, 40, 0, true, false},
		{10, 40, 0.125, true, false},
	} {
		cfg := Default()
		e := &edge{loss: c.stood}
		for i := range c.seen {
			e.record(i >= c.seen-c.lost, &cfg)
		}
		if e.weighLoss(c.median, &cfg); e.loss != c.want {
			t.Errorf("%d of %d lost, median %v, stood %v: accused %v", c.lost, c.seen, c.median, c.stood, e.loss)
		}
	}
}

// TestSixteenAnswersInARowEndALoss keeps a member that stood still again and
// again, and has been well since, from being condemned for it.
func TestSixteenAnswersInARowEndALoss(t *testing.T) {
	cfg := Default()
	e := &edge{}
	record := func(lost bool, n int) {
		for range n {
			e.record(lost, &cfg)
			e.weighLoss(0, &cfg)
		}
	}
	record(false, 24)
	record(true, 16)
	if !e.loss {
		t.Fatal("16 of 40 lost: not accused")
	}
	record(false, 15)
	if !e.loss {
		t.Fatal("no longer accused after 15 answers, of which 40 % loss gives some by chance")
	}
	record(false, 1)
	if e.loss {
		t.Fatal("accused after 16 answers in a row")
	}
	record(true, 1)
	if !e.loss {
		t.Fatal("the answers in between hide that 17 of 40 are lost")
	}
}

func TestSilenceNeedsBothThePatienceAndTheRun(t *testing.T) {
	cfg := Default()
	for _, c := range []struct {
		silent time.Duration
		run    int
		want   bool
	}{
		{time.Second, 4, true},
		{time.Second - 1, 40, false},
		{time.Minute, 3, false},
	} {
		e := &edge{answered: true, lastAnswer: noon, lostRun: c.run}
		if e.weighSilence(noon.Add(c.silent), cfg.LostRunMin, &cfg); e.silence != c.want {
			t.Errorf("silent for %v with %d lost: accused %v", c.silent, c.run, e.silence)
		}
	}
}

func TestTheMedianOfTwoIsTheUpper(t *testing.T) {
	cfg := Default()
	clean, lossy := &edge{}, &edge{}
	for range 10 {
		clean.record(false, &cfg)
		lossy.record(true, &cfg)
	}
	o := &Observer{edges: []*edge{clean, lossy}}
	if m := o.medianLoss(); m != 1 {
		t.Errorf("median of 0 and 1 is %v: the lower one accuses sooner", m)
	}
}

func TestQuickProbesStayOutOfTheLossWindow(t *testing.T) {
	r := newRig(t, Default())
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2 * time.Second)
	r.subject("b").pattern = "x"
	r.run(time.Second) // two regular probes, and about ten quick ones
	if e := r.obs.edge("b"); e.seen > 6 || e.lost() > 3 {
		t.Errorf("window holds %d probes, %d of them lost, after 3 s", e.seen, e.lost())
	}
}

func TestALateAnswerIsASignOfLifeAndALostProbe(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"}, Subject{ID: "d"})
	r.run(2 * time.Second)
	r.subject("b").rtt = 350 * time.Millisecond
	r.run(5 * time.Second)
	if e := r.obs.edge("b"); e.silence || e.lost() == 0 {
		t.Errorf("answers after 350 ms: silent %v, %d regular probes lost", e.silence, e.lost())
	}
	r.run(20 * time.Second)
	if got := (*said)[len(*said)-1]; got != "b agent down (loss)" {
		t.Errorf("a subject whose answers all come too late: %s", got)
	}
}

func TestAnAnswerToAnOlderProbeIsNoAnswerToTheCall(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.subject("b").rtt = 40 * time.Millisecond
	r.run(2 * time.Second)
	for len(r.obs.edge("b").flying) == 0 {
		r.run(time.Millisecond)
	}
	r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: 1}, Subjects: []member.ID{"b"}}})
	r.run(139 * time.Millisecond) // the old probe and one fresh one are answered
	if strings.Contains((*said)[len(*said)-1], "roll call") {
		t.Fatalf("answered after one fresh probe: %s", (*said)[len(*said)-1])
	}
	r.run(2 * time.Millisecond)
	if got := (*said)[len(*said)-1]; got != "b agent up (answered) to roll call 1.1" {
		t.Errorf("after two fresh answers: %s", got)
	}
}

func TestAFreshLossBetweenAnswersIsNoRun(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2400 * time.Millisecond)
	r.subject("b").pattern, r.subject("b").probes = "xxx.xxx.", 0
	r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: 1}, Subjects: []member.ID{"b"}}})
	r.run(1200 * time.Millisecond)
	if slices.ContainsFunc(*said, func(s string) bool { return strings.Contains(s, "down") }) {
		t.Errorf("three lost in a row, twice: %q", *said)
	}
}

func TestACallIsWorkedOnForTwoSeconds(t *testing.T) {
	r := newRig(t, Default())
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.subject("b").pattern = "xxx." // never two answers, never four losses... for long
	r.run(2 * time.Second)
	r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: 1}, Subjects: []member.ID{"b"}}})
	r.run(Default().RollLife + 600*time.Millisecond)
	if e := r.obs.edge("b"); !e.roll.id.IsZero() {
		t.Errorf("still at work on the roll call: %+v", e.roll)
	}
}

func TestACallAboutAStrangerIsNotAnswered(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"})
	r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: 1}, Subjects: []member.ID{"stranger"}}})
	r.run(time.Second)
	if slices.ContainsFunc(*said, func(s string) bool { return strings.Contains(s, "roll call") }) {
		t.Errorf("%q", *said)
	}
}

func TestWhoIsAlwaysCalledTooLateVotesAgainAfterThirtySeconds(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b", Service: true, Calm: true}, Subject{ID: "c"})
	r.subject("b").service = "refused"
	r.late = 400 * time.Millisecond
	r.run(29 * time.Second)
	if got := (*said)[len(*said)-1]; got != "abstains: stalled" {
		t.Fatalf("stalled at every beat: %s", got)
	}
	r.run(5 * time.Second)
	if got := (*said)[len(*said)-1]; got != "b service down (refused)" {
		t.Errorf("30 s later: %s", got)
	}
}

func TestHalfOfTheEdgesDownIsNoDoubt(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"}, Subject{ID: "d"}, Subject{ID: "e"})
	r.subject("d").pattern, r.subject("e").pattern = "30%", "30%"
	r.run(20 * time.Second)
	r.subject("b").pattern, r.subject("c").pattern = "x", "x"
	r.run(3 * time.Second)
	if got := (*said)[len(*said)-1]; got != "b agent down (silence); c agent down (silence)" {
		t.Errorf("two of four down, the others lossy: %s", got)
	}
}

func TestAStatementHoldsSixteenVotes(t *testing.T) {
	for _, smeared := range []bool{false, true} {
		r := newRig(t, Default())
		var subjects []Subject
		for i := range 40 {
			subjects = append(subjects, Subject{ID: member.ID(fmt.Sprintf("s%02d", i))})
		}
		r.watch(1, []member.ID{"c1"}, subjects...)
		if smeared {
			for i := range 19 {
				r.subject(subjects[i].ID).pattern = "40%"
			}
		}
		r.run(20 * time.Second)
		named := map[member.ID]bool{}
		r.seen = func(_ time.Duration, e Effect) {
			p, ok := e.(Publish)
			if !ok {
				return
			}
			if n := len(p.Statement.Votes) + len(p.Statement.Unreachable); n > MaxVotes {
				t.Fatalf("%d names in one statement, at most %d fit into a datagram", n, MaxVotes)
			}
			for _, v := range p.Statement.Votes {
				named[v.Subject] = true
			}
			for _, id := range p.Statement.Unreachable {
				named[id] = true
			}
		}
		for i := 19; i < 40; i++ {
			r.subject(subjects[i].ID).pattern = "x"
		}
		r.run(6 * time.Second)
		for i := 19; i < 40; i++ {
			if !named[subjects[i].ID] {
				t.Errorf("smeared %v: %s is down and never named", smeared, subjects[i].ID)
			}
		}
	}
}

// Campaign seed 611515: nineteen roll calls a second, each answered by all forty votes in
// three datagrams every 20 ms.
func TestWhoSaysMuchSaysItLessOften(t *testing.T) {
	r := newRig(t, Default())
	var subjects []Subject
	for i := range 40 {
		subjects = append(subjects, Subject{ID: member.ID(fmt.Sprintf("s%02d", i)), Service: true, Calm: true})
	}
	r.watch(1, []member.ID{"c1"}, subjects...)
	r.run(20 * time.Second)
	var newest uint64
	said := map[time.Duration]int{} // datagrams with something new
	r.seen = func(at time.Duration, e Effect) {
		if p, ok := e.(Publish); ok && p.Statement.Acknowledge && p.Statement.Seq > newest {
			newest = p.Statement.Seq
			said[at]++
		}
	}
	for _, s := range subjects {
		r.subject(s.ID).service = "refused"
	}
	r.run(5 * time.Second)
	for i, s := range subjects {
		r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: uint64(i + 1)}, Subjects: []member.ID{s.ID}}})
		r.run(5 * time.Millisecond)
	}
	times := slices.Sorted(maps.Keys(said))
	most := 0
	for i := 1; i < len(times); i++ {
		before, gap := said[times[i-1]], times[i]-times[i-1]
		most = max(most, before)
		if gap < time.Duration(min(before, gatherMost))*20*time.Millisecond {
			t.Errorf("%d datagrams at %v, and the next %v later", before, times[i-1], gap)
		}
	}
	if most < 3 {
		t.Fatalf("at most %d datagrams at once in %d statements: nothing is shown", most, len(times))
	}
}

func TestAVoteIsRenewedBeforeItDies(t *testing.T) {
	for _, down := range []int{1, 5} { // alone, and in a mass
		r := newRig(t, Default())
		var subjects []Subject
		for i := range 8 {
			subjects = append(subjects, Subject{ID: member.ID(fmt.Sprintf("s%d", i))})
		}
		r.watch(1, []member.ID{"c1"}, subjects...)
		r.run(3 * time.Second)
		var until time.Duration
		r.seen = func(at time.Duration, e Effect) {
			p, ok := e.(Publish)
			if !ok || len(p.Statement.Votes) == 0 {
				return
			}
			// One datagram may be lost without the vote dying.
			if until != 0 && at+p.Statement.Life/3 > until {
				t.Fatalf("%d down: renewed at %v, the vote before lived until %v", down, at, until)
			}
			until = at + p.Statement.Life
		}
		for i := range down {
			r.subject(subjects[i].ID).pattern = "x"
		}
		r.run(40 * time.Second)
		if until == 0 {
			t.Fatal("nobody was accused")
		}
	}
}

func TestAServiceThatIsTakenAwayIsNoLongerAccused(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b", Service: true, Calm: true}, Subject{ID: "c"})
	r.subject("b").service = "refused"
	r.run(6 * time.Second)
	r.watch(2, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2 * time.Second)
	want := []string{"nothing to report", "b service down (refused)", "b service up (answered)", "nothing to report"}
	if !slices.Equal(*said, want) {
		t.Errorf("said %q, want %q", *said, want)
	}
}

func TestANewRosterKeepsWhatIsKnownAboutThoseWhoStay(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2 * time.Second)
	r.subject("b").pattern = "x"
	r.run(2 * time.Second)
	r.watch(2, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "d"})
	r.run(2 * time.Second)
	if got := (*said)[len(*said)-1]; got != "b agent down (silence)" {
		t.Errorf("after the roster changed: %s", got)
	}
}

func TestWithoutACouncilAllIsSaidWhenItIsKnown(t *testing.T) {
	r := newRig(t, Default())
	said := r.listen()
	r.watch(1, nil, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2 * time.Second)
	r.subject("b").pattern = "x"
	r.run(5 * time.Second)
	if len(*said) != 0 {
		t.Fatalf("said to nobody: %q", *said)
	}
	r.watch(2, []member.ID{"c1"}, Subject{ID: "b"}, Subject{ID: "c"})
	if want := []string{"b agent down (silence)"}; !slices.Equal(*said, want) {
		t.Errorf("said %q, want %q", *said, want)
	}
}

func TestOnlyWhoIsSilentIsToldAgain(t *testing.T) {
	r := newRig(t, Default())
	r.acks = false
	r.watch(1, []member.ID{"c1", "c2"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2 * time.Second)
	r.subject("b").pattern = "x"
	var seq uint64
	var again [][]member.ID
	r.seen = func(_ time.Duration, e Effect) {
		switch p, ok := e.(Publish); {
		case ok && seq == 0:
			seq = p.Statement.Seq
			r.after(50*time.Millisecond, Acknowledged{By: "c1", Seq: seq})
		case ok && p.Statement.Seq == seq:
			again = append(again, p.To)
		}
	}
	r.run(1900 * time.Millisecond)
	if len(again) != 3 {
		t.Fatalf("sent again %d times, want 3", len(again))
	}
	for _, to := range again {
		if !slices.Equal(to, []member.ID{"c2"}) {
			t.Errorf("sent again to %v, want c2 alone", to)
		}
	}
}

// repeats is how often the statements of the next while were sent again.
func (r *rig) repeats(flaps int) (first, again int) {
	said := map[uint64]bool{}
	r.seen = func(_ time.Duration, e Effect) {
		if p, ok := e.(Publish); ok {
			if said[p.Statement.Seq] {
				again++
			} else {
				first++
			}
			said[p.Statement.Seq] = true
		}
	}
	for range flaps {
		r.subject("b").pattern = "x"
		r.run(3 * time.Second)
		r.subject("b").pattern = "."
		r.run(3 * time.Second)
	}
	return first, again
}

func TestWhatIsRenewedAnywayAsksForNoAcknowledgement(t *testing.T) {
	r := newRig(t, Default())
	r.watch(1, []member.ID{"c1", "c2"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2 * time.Second)
	r.subject("b").pattern = "x"
	asked := map[uint64]bool{}
	r.seen = func(_ time.Duration, e Effect) {
		if p, ok := e.(Publish); ok {
			asked[p.Statement.Seq] = p.Statement.Acknowledge
		}
	}
	r.run(10 * time.Second)
	n := 0
	for _, a := range asked {
		if a {
			n++
		}
	}
	if n != 1 || len(asked) < 8 {
		t.Errorf("%d of %d statements ask, want the accusation alone", n, len(asked))
	}
}

func TestALongWayIsNotMistakenForALoss(t *testing.T) {
	r := newRig(t, Default())
	r.watch(1, []member.ID{"c1", "c2"}, Subject{ID: "b"}, Subject{ID: "c"})
	r.run(2 * time.Second)
	if _, again := r.repeats(1); again != 0 {
		t.Fatalf("%d repeats of what was acknowledged at once", again)
	}
	r.way = 900 * time.Millisecond // longer than the last repeat waits
	r.repeats(20)
	if first, again := r.repeats(10); first < 20 || again != 0 {
		t.Errorf("%d repeats of %d statements that all came through", again, first)
	}
	r.way = time.Millisecond
	r.repeats(1)
	r.acks = false
	if _, again := r.repeats(1); again < 3 {
		t.Errorf("%d repeats when the way is short and nobody acknowledges", again)
	}
}

func TestTheTimeOutIsFourRoundTripsWithinBounds(t *testing.T) {
	cfg := Default()
	for _, c := range []struct{ rtt, want time.Duration }{
		{time.Millisecond, 50 * time.Millisecond},
		{20 * time.Millisecond, 80 * time.Millisecond},
		{time.Second, 200 * time.Millisecond},
	} {
		var r roundTrips
		if got := r.timeout(&cfg); got != cfg.TimeoutMax {
			t.Errorf("without answers: %v, want %v", got, cfg.TimeoutMax)
		}
		for range 200 {
			r.add(c.rtt)
		}
		if got := r.timeout(&cfg); got != c.want {
			t.Errorf("round trip %v: time-out %v, want %v", c.rtt, got, c.want)
		}
	}
}

func TestOneSlowAnswerOfAHundredDoesNotStretchTheTimeOut(t *testing.T) {
	cfg := Default()
	var r roundTrips
	for i := range 256 {
		rtt := time.Millisecond
		if i%128 == 5 {
			rtt = time.Second
		}
		r.add(rtt)
	}
	if got := r.timeout(&cfg); got != cfg.TimeoutMin {
		t.Errorf("time-out %v, want %v", got, cfg.TimeoutMin)
	}
}
