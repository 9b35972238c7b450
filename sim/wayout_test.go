package sim

import (
	"math/rand/v2"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// wayOut is the bound of PROTOCOL 7's "no trap door" in profile lan: so long after
// the last fault of a mass failure has ended, the fleet is as it was, and nobody had
// to do anything. 30 s of clean observation lift a verdict, a minute of memory, two
// of calm in cascade and one in guarded follow, and half a minute is for elections,
// roll calls and those that fall a second time when their links come back one by one.
const wayOut = 5 * time.Minute

// TestAfterACascadeThatHealsTheFleetIsNormalAgain draws fleets, a fifth to three
// fifths of them, and what befalls these, until the council or the doors are lost
// too; then all of it ends.
func TestAfterACascadeThatHealsTheFleetIsNormalAgain(t *testing.T) {
	worst := time.Duration(0)
	cascades := 0
	for seed := range uint64(3) {
		c := rand.New(rand.NewPCG(9000, seed))
		w := story(t, Fleet(12+c.IntN(12)), 9000+seed)
		w.Watch(func(h Happening) {
			if h.What == Agreed && h.Fact.Accepted && h.Fact.Command.Kind == failover.KindBrake &&
				payload[failover.Brakes](*h.Fact).Mode() == failover.Cascade {
				cascades++
			}
		})
		end := w.Now()
		n := len(w.machines)
		for range n/5 + c.IntN(n*2/5) {
			f := Fault{
				At: w.Now() + time.Duration(c.IntN(20_000))*time.Millisecond, Whom: []member.ID{w.machines[c.IntN(n)].id},
				Do: []FaultKind{Crash, Pause, Isolate}[c.IntN(3)], For: 20*time.Second + time.Duration(c.IntN(150_000))*time.Millisecond,
			}
			f.Serve = f.Do == Crash
			w.Strike(f)
			end = max(end, f.At+f.For)
		}
		run(t, w, end-w.Now())
		healed := w.Now()
		calm := func() bool {
			return w.allServed() && len(w.State().Brake().Modes) == 0 && len(w.State().OpenCases()) == 0
		}
		for w.Now() < healed+wayOut && !calm() {
			run(t, w, time.Second)
		}
		if !calm() {
			t.Errorf("seed %d: %v after everything has healed: brake %+v, %v", 9000+seed, wayOut, w.State().Brake(), w.Troubles())
		}
		worst = max(worst, w.Now()-healed)
	}
	if cascades < 2 {
		t.Errorf("only %d cascades: the property was hardly tried", cascades)
	}
	t.Logf("the last fleet was normal again after %v", worst)
}

// TestABurntRackIsReplacedWithoutPeople draws fleets with a rack of a fifth at most
// and spares enough elsewhere. Two quiet minutes and a roll call later its slots move,
// as fast as the budget allows.
func TestABurntRackIsReplacedWithoutPeople(t *testing.T) {
	for seed := range uint64(2) {
		c := rand.New(rand.NewPCG(9100, seed))
		cfg := rack(15+c.IntN(20), c)
		w := story(t, cfg, 9100+seed)
		var burnt []member.ID
		slots := 0
		for _, m := range cfg.Fleet.Members {
			if m.Domain == "rack" {
				burnt = append(burnt, m.ID)
				if _, sits := w.checker.books.seats[m.ID]; sits {
					slots++
				}
			}
		}
		w.Strike(Fault{At: w.Now(), Do: Crash, Whom: burnt})
		tm := failover.TimingOf("lan")
		_, perWindow := failover.BudgetOf(len(w.machines))
		windows := (slots - 1) / perWindow
		bound := tm.CascadeClear + 30*time.Second + time.Duration(windows)*tm.BudgetWindow
		began := w.Now()
		run(t, w, time.Second)
		for w.Now() < began+bound && !w.allServed() {
			run(t, w, time.Second)
		}
		if !w.allServed() {
			t.Errorf("seed %d: %d of %d members burnt with %d slots; after %v: %v", 9100+seed, len(burnt), len(w.machines), slots, bound, w.Troubles())
		}
		for _, id := range burnt {
			if v, _ := w.State().Ledger().Standing(id); v.Kind != consensus.VerdictDown {
				t.Errorf("seed %d: %s stands under %q", 9100+seed, id, v.Kind)
			}
		}
	}
}

// TestASeveredSiteIsNeverReplaced cuts off a third of a fleet for longer than any window of
// the brake lasts.
func TestASeveredSiteIsNeverReplaced(t *testing.T) {
	for seed := range uint64(1) {
		cfg := Fleet(18)
		w := story(t, cfg, 9200+seed)
		var site []member.ID
		for i, m := range cfg.Fleet.Members {
			if i%3 == int(seed) {
				site = append(site, m.ID)
			}
		}
		w.Strike(Fault{At: w.Now(), Do: Isolate, Whom: site})
		before := w.Counted().Destructive
		run(t, w, 10*time.Minute)
		if n := w.Counted().Destructive - before; n > 0 {
			t.Errorf("seed %d: %d actions while %v were cut off", 9200+seed, n, site)
		}
	}
}

// rack is a fleet of n with a rack of a fifth of it at most, and a spare elsewhere
// for each of its members.
func rack(n int, c *rand.Rand) Config {
	cfg := Fleet(n)
	f := &cfg.Fleet
	in := 2 + c.IntN(n/5-1)
	for i := range in {
		f.Members[6+i].Domain = "rack"
	}
	f.Pools[0].Slots = f.Pools[0].Slots[:n-in-1]
	return cfg
}
