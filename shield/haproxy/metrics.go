package haproxy

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	up, held      prometheus.Gauge
	errors, edits prometheus.Counter
	seconds       prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) metrics {
	const prefix = "moonwatch_shield_haproxy_"
	m := metrics{
		up:     prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "up", Help: "1 while HAProxy answers and does as it is told."}),
		held:   prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "map_entries", Help: "Subdomains in HAProxy's map."}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "errors_total", Help: "Polls that HAProxy did not answer, or not as it should."}),
		edits:  prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "edits_total", Help: "Entries of the map that somebody else changed, and that were put right."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "poll_seconds", Help: "How long HAProxy took for a poll.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12), // 0.5 ms to 1 s
		}),
	}
	reg.MustRegister(m.up, m.held, m.errors, m.edits, m.seconds)
	return m
}
