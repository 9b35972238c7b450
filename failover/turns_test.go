package failover

import (
	"fmt"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// inTurn plays a while with the door's two tellers, of whom some are obeyed, and says
// in one word who told it and what came of that, step by step.
func (x *tale) inTurn(all map[member.ID]*Teller, d time.Duration, obeys func(member.ID) TellResult) (told []string) {
	x.t.Helper()
	note := func(who member.ID, r TellResult) {
		if text := fmt.Sprintf("%s %s", who, r); len(told) == 0 || told[len(told)-1] != text {
			told = append(told, text)
		}
	}
	for end := x.now.Add(d); x.now.Before(end); x.now = x.now.Add(500 * time.Millisecond) {
		for _, id := range []member.ID{"web-4", "web-5"} {
			tell := all[id]
			asks, says := x.asks(tell, TellerWoken{})
			for _, a := range asks {
				r := obeys(id)
				note(id, r)
				_, more := x.asks(tell, DoorAnswered{Asked: a, Result: r, Detail: "so it says"})
				says = append(says, more...)
			}
			for _, s := range says {
				if f := x.commit(s.Kind, id, s.Told); !f.Accepted {
					x.t.Errorf("refused: %s", f.Reason)
				}
			}
		}
	}
	return told
}

// The first of the tellers alone does not reach the door. It is the next one's turn
// then, and stays so: whoever reached it last goes on.
func TestADoorGoesToTheNextWhoReachesIt(t *testing.T) {
	x, first := newTold(t)
	all := map[member.ID]*Teller{"web-4": first, "web-5": NewTeller("web-5", x.state, x.now)}
	reached := map[member.ID]TellResult{"web-4": ToldUnknown, "web-5": ToldDone}
	obeys := func(id member.ID) TellResult { return reached[id] }
	wantSteps(t, x.inTurn(all, 20*time.Second, obeys), "web-4 unknown")
	wantSteps(t, x.inTurn(all, 5*time.Minute, obeys), "web-4 unknown", "web-5 done")
	if v := x.state.Doors(x.now); len(v) != 1 || v[0].Teller != "web-5" || len(v[0].Behind) > 0 {
		t.Errorf("%+v", v)
	}
	reached["web-4"] = ToldDone // nobody asks it
	wantSteps(t, x.inTurn(all, time.Minute, obeys), "web-5 done")
	x.judge(consensus.VerdictAgentLost, "web-5")
	wantSteps(t, x.inTurn(all, time.Minute, obeys), "web-4 done")
}

// Nobody reaches it: they try in turn, and the ledger is not filled with that.
func TestADoorThatNobodyReachesIsTriedInTurn(t *testing.T) {
	x, first := newTold(t)
	all := map[member.ID]*Teller{"web-4": first, "web-5": NewTeller("web-5", x.state, x.now)}
	obeys := func(member.ID) TellResult { return ToldUnknown }
	wantSteps(t, x.inTurn(all, 2*handOver+10*time.Second, obeys), "web-4 unknown", "web-5 unknown", "web-4 unknown")
	head := x.ledger.Head()
	x.inTurn(all, 10*time.Minute, obeys)
	if n := x.ledger.Head() - head; n > 0 {
		t.Errorf("%d facts in ten minutes, want none: nothing changes", n)
	}
}

// What a door fails with may change from one time to the next: that is no new beginning.
func TestADoorThatFailsInTwoWaysGoesToTheNext(t *testing.T) {
	x, first := newTold(t)
	all := map[member.ID]*Teller{"web-4": first, "web-5": NewTeller("web-5", x.state, x.now)}
	n, asked := 0, false
	x.inTurn(all, 3*handOver, func(id member.ID) TellResult {
		if id == "web-5" {
			asked = true
			return ToldDone
		}
		n++
		return []TellResult{ToldUnknown, ToldLater}[n%3%2]
	})
	if !asked {
		t.Error("web-5 was never asked")
	}
}

// One slot of several is not as wanted: that is the slot's trouble, and the door
// obeys its teller.
func TestADoorStaysWhereOneSlotAloneIsInTrouble(t *testing.T) {
	x, first := newTold(t)
	all := map[member.ID]*Teller{"web-4": first, "web-5": NewTeller("web-5", x.state, x.now)}
	x.inTurn(all, 10*time.Second, func(member.ID) TellResult { return ToldDone })
	fact := x.commit(KindTold, "web-4", DoorsTold{Door: webDoor, Version: 1 << 60, Routes: []DoorTreating{{Slot: "slot-0", Epoch: 2, Occupant: "web-1", Result: ToldFailed}}})
	if !fact.Accepted {
		t.Fatal(fact.Reason)
	}
	x.now = x.now.Add(10 * handOver)
	if v := x.state.Doors(x.now); v[0].Teller != "web-4" {
		t.Errorf("%+v", v)
	}
}
