package disk

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	persist  prometheus.Histogram
	failures *prometheus.CounterVec
	size     prometheus.Gauge
	waiting  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{
		persist: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "moonwatch_disk_persist_seconds",
			Help:    "How long a durable write of raft's state took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12), // 0.1 ms to 2.4 s: an election comes after 1 s
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moonwatch_disk_failures_total",
			Help: "Failed uses of the store: full (may pass), broken (nothing more is written), read.",
		}, []string{"kind"}),
		size: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "moonwatch_disk_size_bytes",
			Help: "Size of the file.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "moonwatch_disk_waiting_facts",
			Help: "Facts taken and not yet on disk.",
		}),
	}
	reg.MustRegister(m.persist, m.failures, m.size, m.waiting)
	for _, kind := range []string{"full", "broken", "read"} {
		m.failures.WithLabelValues(kind)
	}
	return m
}

// persisted books a write that began at start.
func (m *metrics) persisted(start time.Time) { m.persist.Observe(time.Since(start).Seconds()) }
