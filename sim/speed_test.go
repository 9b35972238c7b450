package sim

import (
	"syscall"
	"testing"
	"time"

	"moonwatch/member"
)

// BenchmarkWorld is 60 members for ten virtual minutes with one crash.
func BenchmarkWorld(b *testing.B) {
	benchmark(b, Fleet(60), Fault{At: 5 * time.Minute, Do: Crash, Whom: []member.ID{"m-020"}}, 10*time.Minute)
}

// The two large worlds of `make bench-sim`: their fleets were founded long ago,
// one member crashes, and the world goes on until it is replaced and settled.
// Run them with -benchtime 1x, each in a process of its own: the memory that is
// reported is the process's highest.

func BenchmarkThousandMembers(b *testing.B) {
	benchmarkFounded(b, 1000, Fault{At: 5 * time.Minute, Do: Crash, Whom: []member.ID{"m-020"}}, 10*time.Minute)
}

func BenchmarkTenThousandMembers(b *testing.B) {
	benchmarkFounded(b, 10000, Fault{At: time.Minute, Do: Crash, Whom: []member.ID{"m-020"}}, 2*time.Minute)
}

func benchmarkFounded(b *testing.B, members int, f Fault, d time.Duration) {
	cfg, err := Founded(Fleet(members))
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, cfg, f, d)
}

func benchmark(b *testing.B, cfg Config, f Fault, d time.Duration) {
	var events, probes uint64
	b.ResetTimer()
	for i := range b.N {
		cfg.Seed = uint64(i + 1)
		w, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		w.Strike(f)
		if err := w.Run(d); err != nil {
			b.Fatal(err)
		}
		if w.Verdict(f.Whom[0]) == "" {
			b.Errorf("%s crashed %v ago, and nobody has said so", f.Whom[0], w.Now()-f.At)
		}
		events += w.Events()
		probes += w.probes
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	wall := b.Elapsed().Seconds()
	b.ReportMetric(float64(events)/wall, "events/s")
	b.ReportMetric(float64(probes)/wall, "probes/s")
	b.ReportMetric(float64(b.N)*d.Seconds()/wall, "virtual-s/s")
	b.ReportMetric(float64(used.Maxrss)/1024, "peak-MiB") // Linux counts in KiB
}
