package daemon

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/status"
)

// TestWhoLooksSeesWhatAllObserversSee of three agents on real sockets: all that they probe,
// then a member that has died, of which both others say so before any fact does; and
// nobody is asked when nobody looks.
func TestWhoLooksSeesWhatAllObserversSee(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3"})
	f.until("m1", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.until("m1", "a roster", 60*time.Second, func(p status.Page) bool { return len(p.Members) == 3 })
	s := &f.agents["m1"].sightings
	await := func(what string, ok func(status.Live) bool) {
		t.Helper()
		end := time.Now().Add(60 * time.Second)
		x := s.Live()
		for ; !ok(x); x = s.Live() {
			if time.Now().After(end) {
				t.Fatalf("%s: not within a minute: %+v", what, x)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	sees := func(x status.Live, observer, subject member.ID, ok func(status.LiveSees) bool) bool {
		for _, by := range x.By {
			for _, y := range by.Sees {
				if by.Observer == observer && y.Subject == subject {
					return ok(y)
				}
			}
		}
		return false
	}
	answers := func(y status.LiveSees) bool { return y.RTTMicros > 0 && !y.Down() }
	await("everybody reaches everybody", func(x status.Live) bool {
		all := len(x.By) == 3 && x.Self == "m1"
		for _, a := range f.names {
			for _, b := range f.names {
				all = all && (a == b || sees(x, a, b, answers))
			}
		}
		return all
	})
	if e, err := f.agents["m1"].explain("m3"); err != nil || e.Observed == nil || len(e.Observed.By) != 2 || e.Observed.Agent != 0 {
		t.Errorf("the answer about m3 lacks what its two observers see: %+v, %v", e, err)
	}
	back := &f.agents["m1"].hindsight
	then := func(what string, at func() time.Time, ok func(status.Live) bool) {
		t.Helper()
		end := time.Now().Add(60 * time.Second)
		x, asked := back.Then(at())
		for ; !asked || x.Partial || !ok(x); x, asked = back.Then(at()) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within a minute: %v, %+v", what, asked, x)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	calm := time.Now().Truncate(hindsightGrid).Add(hindsightGrid)
	time.Sleep(time.Until(calm)) // a moment of the grid that is to pass
	then("three remember", func() time.Time { return calm }, func(x status.Live) bool { return x.Heard() == 3 && x.Moment.Equal(calm) })
	f.unserve("m3")
	f.stop("m3")
	await("both call it silent", func(x status.Live) bool {
		return sees(x, "m1", "m3", status.LiveSees.Down) && sees(x, "m2", "m3", status.LiveSees.Down)
	})
	then("both called it silent a moment ago", time.Now, func(x status.Live) bool {
		return sees(x, "m1", "m3", status.LiveSees.Down) && sees(x, "m2", "m3", status.LiveSees.Down)
	})
	up := func(y status.LiveSees) bool { return !y.Down() && !y.Since.IsZero() }
	then("before, all was well", func() time.Time { return calm }, func(x status.Live) bool {
		return sees(x, "m1", "m3", up) && sees(x, "m2", "m3", up)
	})
	f.until("m1", "a verdict on m3", 60*time.Second, func(p status.Page) bool {
		return slices.ContainsFunc(p.Members, func(m status.Member) bool { return m.ID == "m3" && m.Verdict == consensus.VerdictDown })
	})
	const inVain = 20
	for end := time.Now().Add(60 * time.Second); f.agents["m1"].measured.Load().Vain < inVain; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a minute after the verdict on m3, %d probes to it are in vain, want %d", f.agents["m1"].measured.Load().Vain, inVain)
		}
	}
	f.stop("m2")
	f.start("m2")
	if x := judged(f.agents["m2"].sightings.then(calm)); x.Trouble != "" || len(x.Sees) != 2 || x.Sees[0].Down() || x.Sees[1].Down() {
		t.Errorf("m2, started again, remembers %+v", x)
	}

	s.mu.Lock()
	s.looked = time.Now().Add(-time.Hour)
	s.mu.Unlock()
	end := time.Now().Add(30 * time.Second)
	for forgot := false; !forgot; time.Sleep(50 * time.Millisecond) {
		s.mu.Lock()
		forgot = len(s.heard) == 0
		s.mu.Unlock()
		if time.Now().After(end) {
			t.Fatal("they are asked although nobody looks")
		}
	}
}

// TestWhatALoopSawBeforeItHungIsNotWhatItSees: neither here nor for whoever asks.
func TestWhatALoopSawBeforeItHungIsNotWhatItSees(t *testing.T) {
	d := &Daemon{self: "m1"}
	s := &d.sightings
	s.open(d)
	d.page.Store(&status.Page{Members: []status.Member{{ID: "m1"}, {ID: "m2"}}})
	told := func(age time.Duration) (here, there status.LiveFrom) {
		t.Helper()
		now := time.Now()
		s.own.Store(&status.LiveFrom{Observer: "m1", At: now.Add(-age), Sees: []status.LiveSees{{Subject: "m2", RTTMicros: 300}}})
		if err := json.Unmarshal((handler{d: d}).Sightings(time.Time{}), &there); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.compose(now).By[0], there
	}
	if here, there := told(0); len(here.Sees) != 1 || len(there.Sees) != 1 {
		t.Errorf("seen just now: here %+v, there %+v", here, there)
	}
	if here, there := told(sightingsKept + time.Minute); !here.At.IsZero() || here.Sees != nil || !there.At.IsZero() || there.Sees != nil {
		t.Errorf("seen long ago: here %+v, there %+v", here, there)
	}
}

// TestTwoWhoLookFirstBothWait for those who are asked.
func TestTwoWhoLookFirstBothWait(t *testing.T) {
	d := &Daemon{self: "m1"}
	s := &d.sightings
	s.open(d)
	d.page.Store(&status.Page{Members: []status.Member{{ID: "m1"}, {ID: "m2"}}})
	synctest.Test(t, func(t *testing.T) {
		got := make(chan status.Live, 2)
		for range 2 {
			go func() { got <- s.Live() }()
			synctest.Wait()
		}
		s.mu.Lock()
		s.heard["m2"] = status.LiveFrom{Observer: "m2", At: time.Now(), Sees: []status.LiveSees{{Subject: "m1", RTTMicros: 300}}}
		over := s.over
		s.mu.Unlock()
		over()
		for range 2 {
			if x := <-got; len(x.By[1].Sees) != 1 {
				t.Errorf("who looked saw %+v", x.By)
			}
		}
	})
}

// TestWhoLooksAgainJustAfterAWhileWaitsOnce: nobody has noticed yet that nobody looked, and
// the round that begins then has an end, too.
func TestWhoLooksAgainJustAfterAWhileWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Daemon{self: "m1"}
		s := &d.sightings
		s.open(d)
		d.page.Store(&status.Page{Members: []status.Member{{ID: "m1"}}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.askAll(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		s.Live()
		time.Sleep(sightingsFor + sightingsFresh/3)
		s.Live()
		for range 3 {
			time.Sleep(sightingsFresh)
			began := time.Now()
			s.Live()
			if took := time.Since(began); took > 0 {
				t.Fatalf("whoever looks now waits %v", took)
			}
		}
	})
}
