package probe

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	checks  *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moonwatch_probe_checks_total",
			Help: "Checks of services by this agent, by kind and outcome.",
		}, []string{"kind", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "moonwatch_probe_check_seconds",
			Help:    "How long checks took that were answered.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12), // 0.5 ms to 1 s: a time-out is at most about a second
		}, []string{"kind"}),
	}
	reg.MustRegister(m.checks, m.seconds)
	for _, kind := range []string{"http", "tcp", "grpc", "exec", "none"} {
		for _, outcome := range outcomes {
			m.checks.WithLabelValues(kind, outcome)
		}
	}
	for _, kind := range []string{"http", "tcp", "grpc", "exec"} {
		m.seconds.WithLabelValues(kind)
	}
	return m
}

func (m *metrics) count(kind string, r Result) {
	m.checks.WithLabelValues(kind, r.Outcome.String()).Inc()
	if r.Outcome == Answers || r.Outcome == Refuses {
		m.seconds.WithLabelValues(kind).Observe(r.Took.Seconds())
	}
}
