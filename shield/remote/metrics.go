package remote

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	up, held prometheus.Gauge
	errors   prometheus.Counter
	seconds  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) metrics {
	const prefix = "moonwatch_shield_door_"
	m := metrics{
		up:     prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "up", Help: "1 while the door in another program answers and does as it is told."}),
		held:   prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "held", Help: "Subdomains that it was told to hold."}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "errors_total", Help: "Questions that it did not answer, or not as it should."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "answer_seconds", Help: "How long it took for an answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12), // 0.5 ms to 1 s
		}),
	}
	reg.MustRegister(m.up, m.held, m.errors, m.seconds)
	return m
}
