package driver

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	steps   *prometheus.CounterVec
	seconds prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moonwatch_driver_steps_total",
			Help: "Attempts at a step by an installed action that this member answered anew, by outcome.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "moonwatch_driver_step_seconds",
			Help:    "How long an installed action ran.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 14), // 10 ms to 82 s: a step lasts seconds
		}),
	}
	reg.MustRegister(m.steps, m.seconds)
	for _, name := range outcomes {
		m.steps.WithLabelValues(name)
	}
	return m
}

// count books a result and hands it on.
func (m *metrics) count(r Result) Result {
	m.steps.WithLabelValues(r.Outcome.String()).Inc()
	if r.Took > 0 {
		m.seconds.Observe(r.Took.Seconds())
	}
	return r
}
