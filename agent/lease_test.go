package agent

import (
	"testing"
	"time"

	"moonwatch/member"
)

func tenant(leader member.ID) Tenancy {
	return Tenancy{Slot: "db-0", Epoch: 7, Terms: member.LeaseLan(), Councillors: []member.ID{"a", "b", "c"}, Leader: leader}
}

func sent(t *testing.T, effects []HolderEffect) SendRenewal {
	t.Helper()
	if len(effects) != 1 {
		t.Fatalf("%d effects, want one renewal: %v", len(effects), effects)
	}
	return effects[0].(SendRenewal)
}

func granted(r Renewal) Grant { return Grant{Renewal: r, Terms: member.LeaseLan()} }

func TestALeaseIsRenewedEverySecondWhileItIsGranted(t *testing.T) {
	now := time.Unix(1000, 0)
	h := NewHolder("x", 3)
	r := sent(t, h.Tell(now, tenant("b")))
	if !r.Renewal.Wide || len(r.To) != 3 {
		t.Errorf("the first renewal goes to %v: an agent that has just started should not lose an S to a leader that is gone", r.To)
	}
	for range 20 {
		if out := h.Granted(granted(r.Renewal)); len(out) != 1 {
			t.Fatalf("a grant gives %v", out)
		}
		if got := h.Wake(); !got.Equal(now.Add(time.Second)) {
			t.Fatalf("renewed again after %v, want r = 1 s", got.Sub(now))
		}
		if out := h.Woken(now.Add(999 * time.Millisecond)); len(out) > 0 {
			t.Fatalf("too early: %v", out)
		}
		now = now.Add(time.Second)
		r = sent(t, h.Woken(now))
		if r.Renewal.Wide || len(r.To) != 1 || r.To[0] != "b" {
			t.Fatalf("in calm a renewal goes to %v, want the leader", r.To)
		}
	}
}

func TestARenewalThatIsNotGrantedGoesToEveryCouncillorFourTimesASecond(t *testing.T) {
	now := time.Unix(1000, 0)
	h := NewHolder("x", 3)
	h.Granted(granted(sent(t, h.Tell(now, tenant("b"))).Renewal))
	now = now.Add(time.Second)
	sent(t, h.Woken(now))
	for range 8 {
		if got := h.Wake().Sub(now); got != 250*time.Millisecond {
			t.Fatalf("again after %v, want 250 ms", got)
		}
		now = now.Add(250 * time.Millisecond)
		if r := sent(t, h.Woken(now)); !r.Renewal.Wide || len(r.To) != 3 {
			t.Fatalf("it goes to %v", r.To)
		}
	}
}

// What the holder hands over is the time at which the granted renewal was sent: not
// that of the grant, and not that of a younger renewal.
func TestALeaseCountsFromTheRenewalThatWasGranted(t *testing.T) {
	now := time.Unix(1000, 0)
	h := NewHolder("x", 3)
	first := sent(t, h.Tell(now, tenant(""))).Renewal
	first.Sent = 40 * time.Second
	now = now.Add(250 * time.Millisecond)
	second := sent(t, h.Woken(now)).Renewal
	second.Sent = 40*time.Second + 250*time.Millisecond

	late := now.Add(5 * time.Second)
	out := h.Granted(granted(first))
	if l := out[0].(HandLease).Lease; l.Sent != first.Sent || l.Slot != "db-0" || l.Epoch != 7 || l.Terms != member.LeaseLan() {
		t.Errorf("handed over: %+v", l)
	}
	if left := h.Left(late, "db-0", 7); left != 750*time.Millisecond {
		t.Errorf("%v left 5.25 s after it was sent, want 0.75 s of 6 s", left)
	}
	h.Granted(granted(second))
	if left := h.Left(late, "db-0", 7); left != time.Second {
		t.Errorf("%v left by the second one, want 1 s", left)
	}
	if out := h.Granted(granted(first)); len(out) > 0 {
		t.Errorf("an older grant that comes later makes the lease older: %v", out)
	}
	if left := h.Left(late.Add(time.Hour), "db-0", 7); left != 0 {
		t.Errorf("%v left an hour later", left)
	}
}

func TestAGrantForAnybodyElseIsNoLease(t *testing.T) {
	now := time.Unix(1000, 0)
	for name, spoil := range map[string]func(*Renewal){
		"another holder":      func(r *Renewal) { r.Holder = "y" },
		"an earlier life":     func(r *Renewal) { r.Life-- },
		"another slot":        func(r *Renewal) { r.Slot = "db-1" },
		"an older slot epoch": func(r *Renewal) { r.Epoch-- },
		"never asked for":     func(r *Renewal) { r.Seq += 100 },
	} {
		h := NewHolder("x", 3)
		r := sent(t, h.Tell(now, tenant("b"))).Renewal
		spoil(&r)
		if out := h.Granted(granted(r)); len(out) > 0 || h.Left(now, "db-0", 7) != 0 {
			t.Errorf("%s: %v", name, out)
		}
	}
}

func TestWhoLosesItsSlotAsksNoMoreAndHoldsNothing(t *testing.T) {
	now := time.Unix(1000, 0)
	h := NewHolder("x", 3)
	r := sent(t, h.Tell(now, tenant("b"))).Renewal
	if out := h.Tell(now, Tenancy{}); len(out) > 0 || !h.Wake().IsZero() {
		t.Errorf("without a slot: %v, wake %v", out, h.Wake())
	}
	if out := h.Granted(granted(r)); len(out) > 0 {
		t.Errorf("a grant that was under way: %v", out)
	}
	next := tenant("b")
	next.Epoch = 9
	sent(t, h.Tell(now, next))
	if h.Left(now, "db-0", 7) != 0 || h.Left(now, "db-0", 9) != 0 {
		t.Error("the lease of one slot epoch is one of another")
	}
}
