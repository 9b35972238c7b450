package sim

import (
	"testing"
	"time"

	"moonwatch/member"
)

// BenchmarkWorld is the issue's own: 60 members for ten virtual minutes with
// one crash.
func BenchmarkWorld(b *testing.B) {
	var events, probes uint64
	var virtual time.Duration
	for i := range b.N {
		cfg := Fleet(60)
		cfg.Seed = uint64(i + 1)
		w, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		w.Strike(Fault{At: 5 * time.Minute, Do: Crash, Whom: []member.ID{"m-020"}})
		if err := w.Run(10 * time.Minute); err != nil {
			b.Fatal(err)
		}
		events += w.Events()
		probes += w.probes
		virtual += w.Now()
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(probes)/b.Elapsed().Seconds(), "probes/s")
	b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual-s/s")
}
