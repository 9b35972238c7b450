package demo

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"moonwatch/member"
	"moonwatch/status"
)

// led is the page of a fresh cluster whose fleet.yaml was written for a leader.
func led(leader member.ID) status.Page {
	l := newLayout([2]byte{77, 7})
	p := status.Page{Council: status.Council{Councillors: l.council(), Leader: leader, Quorum: true}}
	for i, x := range l.inOrder(leader) {
		m := status.Member{ID: x.Name, Domain: x.Domain, Councillor: x.Council, Leader: x.Name == leader, InView: true}
		if i < slots {
			m.Slot = member.SlotID(rune('0' + i))
			p.Slots = append(p.Slots, status.Slot{ID: m.Slot, Occupant: x.Name, State: status.SlotServing})
		}
		p.Members = append(p.Members, m)
	}
	return p
}

// everyLeader runs a claim for each councillor as leader and many draws.
func everyLeader(t *testing.T, fault string, claim func(p status.Page, m []status.Member) bool) {
	t.Helper()
	chance := rand.New(rand.NewPCG(1, 2))
	for _, leader := range newLayout([2]byte{}).council() {
		p := led(leader)
		for range 40 {
			ids, err := pick(fault, p, chance)
			if err != nil {
				t.Fatalf("leader %s: %v", leader, err)
			}
			var m []status.Member
			for _, id := range ids {
				m = append(m, p.Members[slices.IndexFunc(p.Members, func(x status.Member) bool { return x.ID == id })])
			}
			if !claim(p, m) {
				t.Errorf("leader %s: %s picks %v", leader, fault, ids)
			}
		}
	}
}

func TestOneVictimHoldsASlotAndDoesNotLead(t *testing.T) {
	for _, fault := range []string{FaultKill, FaultStop, FaultService, FaultAgent, FaultFlap, FaultPauseAgent, FaultRestartAgent} {
		everyLeader(t, fault, func(_ status.Page, m []status.Member) bool {
			return len(m) == 1 && m[0].Slot != "" && !m[0].Leader
		})
	}
}

func TestLeaderAndVictimIsOneMember(t *testing.T) {
	everyLeader(t, FaultLeaderAndVictim, func(_ status.Page, m []status.Member) bool {
		return len(m) == 1 && m[0].Leader && m[0].Slot != ""
	})
}

func TestTwoAreOfTwoDomainsWithAtMostOneCouncillor(t *testing.T) {
	everyLeader(t, FaultTwo, func(_ status.Page, m []status.Member) bool {
		return len(m) == 2 && m[0].Domain != m[1].Domain && councillors(m) <= 1 && m[0].Slot != "" && m[1].Slot != ""
	})
}

func TestHalfKeepsTheCouncilQuorumAndEveryDomain(t *testing.T) {
	everyLeader(t, FaultHalf, func(p status.Page, m []status.Member) bool {
		c := cast{page: p}
		return len(m) == 3 && councillors(m) <= 2 && !c.wholeDomain(m)
	})
}

func TestARackIsAWholeFailureDomainOfThreeWithoutTheLeader(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for _, leader := range newLayout([2]byte{}).council() {
		p := led(leader)
		ids, err := pick(FaultRack, p, chance)
		if newLayout([2]byte{}).inLargest(leader) {
			if !errors.Is(err, errNoVictim) {
				t.Errorf("leader %s: picks %v, want that nobody fits: the rack holds the leader", leader, ids)
			}
			continue
		}
		if want := []member.ID{"vm-1", "vm-2", "vm-3"}; err != nil || !slices.Equal(ids, want) {
			t.Errorf("leader %s: picks %v (%v), want failure domain a: %v", leader, ids, err, want)
		}
	}
}

func TestTheSecondBlowFallsInAnotherFailureDomain(t *testing.T) {
	everyLeader(t, FaultSpareDies, func(p status.Page, m []status.Member) bool {
		beside := slices.ContainsFunc(p.Members, func(x status.Member) bool { return x.Slot == "" && x.Domain == m[0].Domain })
		return len(m) == 1 && m[0].Slot != "" && !m[0].Leader && !beside
	})
	everyLeader(t, FaultLeaderInCase, func(p status.Page, m []status.Member) bool {
		return len(m) == 1 && m[0].Slot != "" && cast{page: p}.leader()[0].Domain != m[0].Domain
	})
}

func TestEverybodyStalls(t *testing.T) {
	everyLeader(t, FaultStall, func(_ status.Page, m []status.Member) bool { return len(m) == 7 })
}

func TestQuorumTakesJustEnoughCouncillors(t *testing.T) {
	everyLeader(t, FaultQuorum, func(_ status.Page, m []status.Member) bool {
		return len(m) == 3 && councillors(m) == 3
	})
}

func TestALeadingSpareIsNoVictim(t *testing.T) {
	p := led("vm-1")
	for i := range p.Members {
		p.Members[i].Leader = p.Members[i].Slot == "" && p.Members[i].Councillor
	}
	_, err := pick(FaultLeaderAndVictim, p, rand.New(rand.NewPCG(1, 2)))
	if !errors.Is(err, errNoVictim) {
		t.Errorf("got %v, want that nobody fits the story", err)
	}
}

func TestLayoutIsThatOfTheContract(t *testing.T) {
	l := newLayout([2]byte{77, 7})
	members, council := map[member.FailureDomain]int{}, map[member.FailureDomain]int{}
	for _, p := range l.places {
		members[p.Domain]++
		if p.Council {
			council[p.Domain]++
		}
	}
	if members["a"] != 3 || members["b"] != 2 || members["c"] != 2 {
		t.Errorf("members per failure domain: %v, want 3+2+2", members)
	}
	if council["a"] != 2 || council["b"] != 2 || council["c"] != 1 {
		t.Errorf("councillors per failure domain: %v, want 2+2+1", council)
	}
	for _, leader := range l.council() {
		order := l.inOrder(leader)
		if at := slices.IndexFunc(order, func(p place) bool { return p.Name == leader }); len(order) != slots+spares || at >= slots {
			t.Errorf("leader %s is at place %d of %d: want it in a slot", leader, at, len(order))
		}
	}
}
