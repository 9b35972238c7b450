package sim

import (
	"testing"
	"time"

	"moonwatch/failover"
)

// What a dry run says later of a member is what really became of it, whoever leads
// meanwhile: the world knows which machines were off.
func TestADryRunIsScoredByWhatReallyHappened(t *testing.T) {
	for name, c := range map[string]struct {
		fault Fault
		want  failover.Fate
	}{
		"dies for good":       {Fault{Do: Crash}, failover.FateDead},
		"is switched off":     {Fault{Do: Crash, For: 40 * time.Second, Serve: true}, failover.FateReturned},
		"stands still":        {Fault{Do: Pause, For: 20 * time.Second}, failover.FateUp},
		"is out of reach":     {Fault{Do: Isolate, For: 20 * time.Second}, failover.FateUp},
		"loses its service":   {Fault{Do: Sicken, For: 20 * time.Second}, failover.FateReturned},
		"misses a short beat": {Fault{Do: Pause, For: 800 * time.Millisecond}, ""},
	} {
		for seed := range uint64(3) {
			cfg := Demo()
			cfg.Seed, cfg.Fleet.Pools[0].Armed = seed, false
			w, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			must(t, w.Run(30*time.Second))
			f := c.fault
			victim := w.State().Slots()[4].Occupant
			f.Whom = ids(victim)
			w.Begin(f)
			if seed == 2 { // and whoever leads then goes on with it
				w.at(w.now+15*time.Second, func() {
					if l := w.Leader(); l != "" && l != victim {
						w.Begin(Fault{Do: KillAgent, Whom: ids(l), For: 5 * time.Second})
					}
				})
			}
			must(t, w.Run(failover.DeadAfter+time.Minute))
			var got []failover.Fate
			for _, s := range w.State().Scores() {
				if s.Subject == victim {
					got = append(got, s.Fate(w.time()))
				}
			}
			switch {
			case c.want == "" && len(got) > 0, c.want != "" && (len(got) != 1 || got[0] != c.want):
				t.Errorf("%s, seed %d: %q, want %q", name, seed, got, c.want)
			case w.Counted().Replaced > 0:
				t.Errorf("%s, seed %d: it was done", name, seed)
			}
		}
	}
}
