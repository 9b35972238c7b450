package mind

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/shield"
)

// ruled is a ledger of three doors, and what was committed to it.
type ruled struct {
	t    *testing.T
	fold Fold
	now  time.Time
	n    int
}

func newRuled(t *testing.T) *ruled {
	r := &ruled{t: t, fold: NewFold(), now: time.Unix(1_000_000, 0).UTC()}
	if _, err := r.fold.Ledger.Found(consensus.Genesis{Cluster: "test", Council: []member.ID{"a", "b", "c"}, Unsigned: true}); err != nil {
		t.Fatal(err)
	}
	f := member.Fleet{Version: 1, NeverStop: []string{"pay.example.com"}, Shield: member.ShieldPolicy{Mode: member.ShieldEnforce, Doors: []member.ID{"a", "b", "c"}, Highest: "stop"}}
	for _, id := range []member.ID{"a", "b", "c", "d"} {
		f.Members = append(f.Members, member.Member{ID: id, Domain: member.FailureDomain(id)})
	}
	if f := r.commit(consensus.KindFleet, "operator", f); !f.Accepted {
		t.Fatal(f.Reason)
	}
	return r
}

func (r *ruled) commit(kind consensus.FactKind, by member.ID, payload any) consensus.Fact {
	r.t.Helper()
	r.n++
	c, err := consensus.NewCommand(kind, fmt.Sprint(r.n), by, r.now, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	f, _, err := r.fold.Ledger.Commit(r.fold.Ledger.Raft()+1, b)
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

func (r *ruled) throttle(host string, doors ...member.ID) shield.Throttle {
	return shield.Throttle{
		Host: host, Rung: shield.Stop, Doors: doors, All: []member.ID{"a", "b", "c"}, Until: r.now.Add(30 * time.Second), Subdomains: 40, Why: "a flood",
	}
}

func TestALedgerLetsAThrottleStandThatMostDoorsVotedFor(t *testing.T) {
	for name, c := range map[string]struct {
		by     member.ID
		change func(*shield.Throttle)
		want   string
	}{
		"two of three":              {"a", func(*shield.Throttle) {}, ""},
		"one of three":              {"a", func(x *shield.Throttle) { x.Doors = x.Doors[:1] }, "1 of 3 doors voted"},
		"one of one, it says":       {"a", func(x *shield.Throttle) { x.Doors, x.All = x.Doors[:1], x.All[:1] }, "it counts the doors [a], there are [a b c]"},
		"of who is no door":         {"d", func(*shield.Throttle) {}, "proposed by d, which is no door"},
		"in an operator's name":     {"a", func(x *shield.Throttle) { x.By = "ann" }, "ann pins nothing by a vote"},
		"above the policy's rung":   {"a", func(x *shield.Throttle) { x.Rung = shield.Drop }, "the policy's highest rung is stop"},
		"of who is never stopped":   {"a", func(x *shield.Throttle) { x.Host = "pay.example.com" }, "never stopped"},
		"of a name that none is":    {"a", func(x *shield.Throttle) { x.Host = "a b" }, "want a host name"},
		"of what does not stand":    {"a", func(x *shield.Throttle) { x.Rung = shield.Observe }, "it does not stand"},
		"for what is over by then":  {"a", func(x *shield.Throttle) { x.Until = x.Until.Add(-time.Hour) }, "it ended"},
		"with a door twice in it":   {"a", func(x *shield.Throttle) { x.Doors = []member.ID{"a", "a"} }, "once each"},
		"with somebody else's vote": {"a", func(x *shield.Throttle) { x.Doors = []member.ID{"a", "d"} }, "d voted and is no door"},
	} {
		r := newRuled(t)
		x := r.throttle("www.example.com", "a", "b")
		c.change(&x)
		f := r.commit(consensus.KindThrottle, c.by, x)
		if f.Accepted != (c.want == "") || !strings.Contains(f.Reason, c.want) {
			t.Errorf("%s: %t %q, want %q", name, f.Accepted, f.Reason, c.want)
		}
		if s := r.fold.Throttles.Standing(); f.Accepted == s.Empty() {
			t.Errorf("%s: accepted %t, and it stands: %+v", name, f.Accepted, s)
		}
	}
}

func TestPeoplePinAndUnpin(t *testing.T) {
	r := newRuled(t)
	pin := shield.Pin{Host: "www.example.com", Rung: shield.Observe, Until: r.now.Add(time.Hour), Reason: "a sale"}
	if f := r.commit(consensus.KindPin, "ann", pin); !f.Accepted {
		t.Fatal(f.Reason)
	}
	if f := r.commit(consensus.KindThrottle, "a", r.throttle("www.example.com", "a", "b")); f.Accepted || !strings.Contains(f.Reason, "ann has pinned it") {
		t.Errorf("%t %q", f.Accepted, f.Reason)
	}
	if f := r.commit(consensus.KindUnpin, "ann", shield.Unpin{Host: "www.example.com"}); !f.Accepted {
		t.Error(f.Reason)
	}
	if f := r.commit(consensus.KindUnpin, "ann", shield.Unpin{Host: "www.example.com"}); f.Accepted {
		t.Error("unpinned twice")
	}
	if f := r.commit(consensus.KindThrottle, "a", r.throttle("www.example.com", "a", "b")); !f.Accepted {
		t.Error(f.Reason)
	}
	pin.Host, pin.Rung = "pay.example.com", shield.Stop
	if f := r.commit(consensus.KindPin, "ann", pin); f.Accepted || !strings.Contains(f.Reason, "never stopped") {
		t.Errorf("%t %q", f.Accepted, f.Reason)
	}
}

// A snapshot carries what stands, and that of a fleet without throttles is the one of
// builds that know none.
func TestThrottlesAreInASnapshot(t *testing.T) {
	r := newRuled(t)
	b, err := r.fold.Ledger.Snapshot()
	if err != nil || strings.Contains(string(b), `"shield":{"by"`) {
		t.Fatalf("%v: %s", err, b)
	}
	r.commit(consensus.KindThrottle, "a", r.throttle("www.example.com", "a", "b"))
	if b, err = r.fold.Ledger.Snapshot(); err != nil {
		t.Fatal(err)
	}
	again := NewFold()
	if err := again.Ledger.Restore(b); err != nil {
		t.Fatal(err)
	}
	s := again.Throttles.Standing()
	if got := s.At(r.now); len(got) != 1 || got[0].Rung != shield.Stop || got[0].Host != "www.example.com" || len(got[0].Doors) != 2 {
		t.Errorf("%+v", got)
	}
	if err := again.Ledger.Restore([]byte(`{"state":{},"parts":{}}`)); err != nil || !s.Empty() && len(again.Throttles.s.By) > 0 {
		t.Errorf("%v: the throttles of another ledger are left: %+v", err, again.Throttles.s)
	}
}

// Whoever shares what is folded keeps what it has.
func TestSharedThrottlesAreNotChanged(t *testing.T) {
	r := newRuled(t)
	r.commit(consensus.KindThrottle, "a", r.throttle("a.example.com", "a", "b"))
	shared := r.fold.Throttles.Share().(shield.Standing)
	r.commit(consensus.KindThrottle, "a", r.throttle("www.example.com", "a", "b"))
	if len(shared.By) != 1 || len(r.fold.Throttles.s.By) != 2 {
		t.Errorf("shared %d, stand %d", len(shared.By), len(r.fold.Throttles.s.By))
	}
}
