package web

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	pages   prometheus.Counter
	streams prometheus.Gauge
	dropped prometheus.Counter
	refused prometheus.Counter
}

// newMetrics registers the package's metrics with reg, or with a private
// registry if reg is nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "moonwatch", Subsystem: "web", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		pages:   counter("pages_total", "Pages that told something new."),
		dropped: counter("streams_dropped_total", "Live pages that were dropped because their client was slow or gone."),
		refused: counter("streams_refused_total", "Live pages that were refused because too many were open."),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "moonwatch", Subsystem: "web", Name: "streams", Help: "Live pages that are open.",
		}),
	}
	reg.MustRegister(m.streams)
	return m
}
