package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// teller is a tale whose pool is reached through a HAProxy that web-4 tells, or
// web-5 if web-4 is lost.
func newTold(t *testing.T) (*tale, *Teller) {
	t.Helper()
	f := webFleet(2, 2, 2, 1)
	f.Pools[0].Drivers = []member.Driver{
		{Kind: "gateway"},
		{Kind: "haproxy", On: []member.ID{"web-4", "web-5"}, HAProxy: &member.HAProxyDriver{Instances: map[string]string{"a": "192.0.2.1:9999"}}},
	}
	x := newTale(t, f).serving()
	return x, NewTeller("web-4", x.state, x.now)
}

const webDoor Door = "web/haproxy"

// asks wakes a teller and gives what it wants told.
func (x *tale) asks(tell *Teller, ev TellerEvent) (asks []TellDoor, says []SendTold) {
	for _, e := range tell.Step(x.now, ev) {
		switch e := e.(type) {
		case TellDoor:
			asks = append(asks, e)
		case SendTold:
			says = append(says, e)
		}
	}
	return asks, says
}

// answers every question of a teller with one result, commits what it says, and
// gives the steps that were asked for.
func (x *tale) answers(tell *Teller, result TellResult) (steps []string) {
	x.t.Helper()
	asks, says := x.asks(tell, TellerWoken{Current: true})
	for len(asks) > 0 || len(says) > 0 {
		for _, s := range says {
			if f := x.commit(s.Kind, tell.self, s.Told); !f.Accepted {
				x.t.Errorf("refused: %s", f.Reason)
			}
		}
		says = nil
		for _, a := range asks {
			steps = append(steps, string(a.Slot)+" "+string(a.Step)+" "+string(a.Occupant))
			more, words := x.asks(tell, DoorAnswered{Asked: a, Result: result, Detail: "so it says"})
			if len(more) > 0 {
				x.t.Errorf("asked for %v at once again", more)
			}
			says = append(says, words...)
		}
		asks = nil
	}
	return steps
}

func wantSteps(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestADoorIsToldOfEachChangeOnce(t *testing.T) {
	x, tell := newTold(t)
	wantSteps(t, x.answers(tell, ToldDone), "slot-0 cutover web-1", "slot-1 cutover web-2")
	wantSteps(t, x.answers(tell, ToldDone))
	x.state.s.Slots["slot-0"].Drained = true
	wantSteps(t, x.answers(tell, ToldDone), "slot-0 drain web-1")
	x.state.s.Slots["slot-0"].Drained = false
	wantSteps(t, x.answers(tell, ToldDone), "slot-0 undrain web-1")
	if v := x.state.Doors(x.now); len(v) != 1 || len(v[0].Behind) > 0 || v[0].Slots != 2 || v[0].Teller != "web-4" {
		t.Errorf("%+v", v)
	}
}

func TestADoorThatIsAsItShouldBeIsLookedAtAgain(t *testing.T) {
	x, tell := newTold(t)
	x.answers(tell, ToldDone)
	before := x.ledger.Head()
	x.now = x.now.Add(lookAtDoor)
	asks, _ := x.asks(tell, TellerWoken{})
	if len(asks) != 2 || !asks[0].Look || !asks[1].Look {
		t.Fatalf("%+v", asks)
	}
	x.asks(tell, DoorAnswered{Asked: asks[0], Result: ToldDone})
	if _, says := x.asks(tell, DoorAnswered{Asked: asks[1], Result: ToldDone, Mended: true}); len(says) != 1 || len(says[0].Told.Routes) != 1 {
		t.Errorf("a door that had forgotten is worth a word, and one that had not is not: %+v", says)
	}
	if x.ledger.Head() != before {
		t.Error("looking wrote facts")
	}
}

// A slot whose new occupant a door does not know is not settled quietly: unknown
// is never success.
func TestACaseWaitsForItsDoorsAndSaysWhichWereNotTold(t *testing.T) {
	for _, knows := range []bool{true, false} {
		x, tell := newTold(t)
		x.answers(tell, ToldDone)
		x.judge(consensus.VerdictDown, "web-1")
		x.run(25 * time.Second)
		c := x.state.Cases()[0]
		if c.State != Settling {
			t.Fatalf("%s: it does not wait for the door", c.State)
		}
		result := ToldUnknown
		if knows {
			result = ToldDone
		}
		for range 60 {
			x.answers(tell, result)
			x.run(500 * time.Millisecond)
		}
		if c = x.state.Cases()[0]; c.State != Closed || c.Outcome != OutcomeReplaced {
			t.Fatalf("%s %s", c.State, c.Outcome)
		}
		last := c.History[len(c.History)-1].Detail
		if said := strings.Contains(last, "door web/haproxy: web-4 says: unknown: so it says"); said == knows {
			t.Errorf("told %t: closed with %q", knows, last)
		}
	}
}

func TestWhatAnswersLateIsAboutWhatWasAskedThen(t *testing.T) {
	x, tell := newTold(t)
	asks, _ := x.asks(tell, TellerWoken{})
	x.state.s.Slots["slot-0"].Drained = true
	if more, _ := x.asks(tell, TellerWoken{}); len(more) != 0 {
		t.Fatalf("a second attempt while one is under way: %+v", more)
	}
	more, says := x.asks(tell, DoorAnswered{Asked: asks[0], Result: ToldDone})
	if len(more) != 1 || more[0].Step != TellDrain || len(says) != 0 {
		t.Errorf("%+v %+v", more, says)
	}
	if more[0].Attempt == asks[0].Attempt {
		t.Error("two effects under one attempt")
	}
}

func TestNobodyElseSpeaksForADoor(t *testing.T) {
	x, tell := newTold(t)
	x.answers(tell, ToldDone)
	word := DoorsTold{Door: webDoor, Version: 1 << 60, Routes: []DoorTreating{{Slot: "slot-0", Epoch: 2, Occupant: "web-1", Result: ToldDone}}}
	for by, says := range map[member.ID]string{"web-1": "it does not tell it", "web-5": ""} {
		f := x.commit(KindTold, by, word)
		if f.Accepted != (says == "") || !strings.Contains(f.Reason, says) {
			t.Errorf("%s: accepted %t: %s", by, f.Accepted, f.Reason)
		}
	}
	for what, spoil := range map[string]func(*DoorsTold){
		"no door web/dns":  func(p *DoorsTold) { p.Door = "web/dns" },
		"0 routes":         func(p *DoorsTold) { p.Routes = nil },
		`result is "fine"`: func(p *DoorsTold) { p.Routes[0].Result = "fine" },
		"no slot api-0":    func(p *DoorsTold) { p.Routes[0].Slot = "api-0" },
		"a later one":      func(p *DoorsTold) { p.Version = 3 },
	} {
		bad := word
		bad.Routes = append([]DoorTreating(nil), word.Routes...)
		spoil(&bad)
		if f := x.commit(KindTold, "web-4", bad); f.Accepted || !strings.Contains(f.Reason, what) {
			t.Errorf("accepted %t: %q, want %q", f.Accepted, f.Reason, what)
		}
	}
}

func TestTheFirstWhoIsWellTellsASharedDoor(t *testing.T) {
	x, tell := newTold(t)
	x.answers(tell, ToldDone)
	other := NewTeller("web-5", x.state, x.now)
	wantSteps(t, x.answers(other, ToldDone))
	x.judge(consensus.VerdictAgentLost, "web-4")
	wantSteps(t, x.answers(tell, ToldDone))
	wantSteps(t, x.answers(other, ToldDone), "slot-0 undrain web-1", "slot-1 undrain web-2") // it looks, and nothing changes
}

func TestAPassingTroubleOfADoorIsNoFact(t *testing.T) {
	x, tell := newTold(t)
	x.answers(tell, ToldDone)
	x.state.s.Slots["slot-0"].Drained = true
	before := x.ledger.Head()
	for x.now = x.now.Add(0); x.ledger.Head() == before; x.now = x.now.Add(100 * time.Millisecond) {
		x.answers(tell, ToldLater)
		if v, _ := x.state.Treats(webDoor, "slot-0"); v.Result == ToldLater {
			break
		}
		if x.now.Sub(noon) > 10*time.Minute {
			t.Fatal("it is never said")
		}
	}
	if since := x.now.Sub(noon.Add(time.Minute)); since < reportAfter {
		t.Errorf("said after %v", since)
	}
}

// A pool whose services are units of systemd has no actions, and steps all the same.
func TestAUnitTakesThePlaceOfAnAction(t *testing.T) {
	f := webFleet(1, 2, 1)
	f.Pools[0].Actions = member.Actions{}
	f.Pools[0].Drivers = []member.Driver{{Kind: "systemd", Systemd: &member.SystemdDriver{Unit: "web@{slot}.service"}}}
	x := newTale(t, f)
	for _, e := range x.executors["web-1"].Step(x.now, ExecutorWoken{}) {
		if d, ok := e.(DoStep); ok && d.Unit == "web@slot-0.service" && d.Key.Step == StepActivate {
			return
		}
	}
	t.Error("the unit of slot-0 is not activated")
}
