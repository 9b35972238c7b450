package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/member"
	"moonwatch/status"
)

// notifyMetrics count what this member tells people.
type notifyMetrics struct {
	messages         *prometheus.CounterVec
	waiting, failing prometheus.Gauge
}

func newNotifyMetrics(reg prometheus.Registerer) notifyMetrics {
	m := notifyMetrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moonwatch_daemon_notify_messages_total", Help: "Attempts of this member at telling people, by result.",
		}, []string{"kind", "result"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "moonwatch_daemon_notify_waiting", Help: "Messages that wait for a receiver, at the member that tells people.",
		}),
		failing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "moonwatch_daemon_notify_failing_seconds", Help: "For how long the receiver that has failed longest has, at the member that tells people.",
		}),
	}
	reg.MustRegister(m.messages, m.waiting, m.failing)
	for _, kind := range member.ReceiverKinds() {
		m.messages.WithLabelValues(kind, "told")
		m.messages.WithLabelValues(kind, "failed")
	}
	return m
}

func (m notifyMetrics) sent(kind string, told bool) {
	result := "failed"
	if told {
		result = "told"
	}
	m.messages.WithLabelValues(kind, result).Inc()
}

func (m notifyMetrics) observe(now time.Time, t status.Telling) {
	waiting, failing := 0, time.Duration(0)
	for _, r := range t.Receivers {
		waiting += r.Waiting
		if !r.Failing.IsZero() {
			failing = max(failing, now.Sub(r.Failing))
		}
	}
	m.waiting.Set(float64(waiting))
	m.failing.Set(failing.Seconds())
}
