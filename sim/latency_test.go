package sim

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// latencies crashes one occupant per seed, at a random moment and never the
// leader, and measures the time to the committed verdict and to the service of
// the spare.
func latencies(tb testing.TB, members, crashes int) (verdicts, services []time.Duration) {
	tb.Helper()
	for seed := range uint64(crashes) {
		cfg := Fleet(members)
		if members == 7 {
			cfg = Demo()
		}
		cfg.Seed = seed + 1
		w, err := New(cfg)
		if err != nil {
			tb.Fatal(err)
		}
		d := diceOf(newChance(seed))
		at := 15*time.Second + d.span(0, 2*time.Second)
		if err := w.Run(at); err != nil {
			tb.Fatal(err)
		}
		id, slot := victim(w, d)
		w.Hit(Crash, id)
		if err := w.RunUntil(30*time.Second, func() bool { return w.Verdict(id) == consensus.VerdictDown }); err != nil {
			tb.Fatalf("%d members, seed %d: crash of %s: %v", members, cfg.Seed, id, err)
		}
		verdicts = append(verdicts, w.Now()-at)
		if err := w.RunUntil(30*time.Second, func() bool { return w.Occupant(slot) != id && w.Served(slot) }); err != nil {
			tb.Fatalf("%d members, seed %d: %v: %v", members, cfg.Seed, err, w.Troubles())
		}
		services = append(services, w.Now()-at)
		if n := len(w.factsOf(failover.KindCaseOpened, 0)); n != 1 {
			tb.Fatalf("%d members, seed %d: %d cases, want one", members, cfg.Seed, n)
		}
	}
	slices.Sort(verdicts)
	slices.Sort(services)
	return verdicts, services
}

func victim(w *World, d dice) (member.ID, member.SlotID) {
	slots := w.State().Slots()
	for {
		if s := slots[d.next()%uint64(len(slots))]; s.Occupant != w.Leader() {
			return s.Occupant, s.ID
		}
	}
}

func share(sorted []time.Duration, pct int) time.Duration {
	return sorted[(len(sorted)*pct+99)/100-1].Round(time.Millisecond)
}

func TestACrashIsAVerdictWithinTwoAndAHalfSeconds(t *testing.T) {
	for _, c := range []struct{ members, crashes int }{{5, 40}, {7, 40}, {32, 20}, {100, 5}} {
		if s, err := strconv.Atoi(os.Getenv("MOONWATCH_CRASHES")); err == nil {
			c.crashes = s
		}
		v, s := latencies(t, c.members, c.crashes)
		t.Logf("%3d members, %4d crashes: verdict p50 %v p99 %v max %v, served p50 %v p99 %v max %v",
			c.members, c.crashes, share(v, 50), share(v, 99), share(v, 100), share(s, 50), share(s, 99), share(s, 100))
		if share(v, 50) > 1500*time.Millisecond || share(v, 99) > 2500*time.Millisecond {
			t.Errorf("%d members: verdict p50 %v p99 %v, want 1.5 s and 2.5 s", c.members, share(v, 50), share(v, 99))
		}
		if share(s, 50) > 5*time.Second || share(s, 100) > 6*time.Second {
			t.Errorf("%d members: served p50 %v, at most %v, want 5 s and 6 s", c.members, share(s, 50), share(s, 100))
		}
	}
}

// BenchmarkCrash measures a thousand crashes per size: make bench-go.
func BenchmarkCrash(b *testing.B) {
	for _, n := range []int{5, 7, 32, 100} {
		b.Run(fmt.Sprintf("members-%d", n), func(b *testing.B) {
			for range b.N {
				v, s := latencies(b, n, 1000)
				b.ReportMetric(share(v, 50).Seconds(), "verdict-p50-s")
				b.ReportMetric(share(v, 99).Seconds(), "verdict-p99-s")
				b.ReportMetric(share(s, 50).Seconds(), "served-p50-s")
				b.ReportMetric(share(s, 99).Seconds(), "served-p99-s")
			}
		})
	}
}
