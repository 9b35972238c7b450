package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/failover"
	"moonwatch/failover/driver"
)

// doorKinds are the kinds of doors that members tell.
var doorKinds = []string{"haproxy", "dns", "webhook", "vip"}

// doorMetrics count what this member tells doors, and what the ledger knows of them.
type doorMetrics struct {
	tells, mended *prometheus.CounterVec
	took          *prometheus.HistogramVec
	behind        *prometheus.GaugeVec
}

func newDoorMetrics(reg prometheus.Registerer) doorMetrics {
	var m doorMetrics
	m.tells = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "moonwatch_daemon_door_tells_total", Help: "Attempts of this member at telling a door of a slot, or looking at it, by outcome.",
	}, []string{"kind", "outcome"})
	m.mended = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "moonwatch_daemon_door_mended_total", Help: "Slots that a door of this member was found to treat otherwise than it was told, and was told again.",
	}, []string{"kind"})
	m.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "moonwatch_daemon_door_tell_seconds", Help: "How long telling a door of one slot took.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14), // 0.5 ms to 4 s: one attempt has 5 s
	}, []string{"kind"})
	m.behind = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "moonwatch_daemon_door_slots_behind", Help: "Slots that a door does not treat as the ledger says, or differently at two instances, over all doors of the fleet.",
	}, []string{"kind"})
	reg.MustRegister(m.tells, m.mended, m.took, m.behind)
	for _, kind := range doorKinds {
		for o := driver.Unknown; o <= driver.Permanent; o++ {
			m.tells.WithLabelValues(kind, o.String())
		}
		m.mended.WithLabelValues(kind)
		m.took.WithLabelValues(kind)
		m.behind.WithLabelValues(kind)
	}
	return m
}

func (m doorMetrics) tell(kind string, o driver.Outcome, took time.Duration) {
	m.tells.WithLabelValues(kind, o.String()).Inc()
	m.took.WithLabelValues(kind).Observe(took.Seconds())
}

// observe sets what the ledger knows of the doors of the fleet.
func (m doorMetrics) observe(all []failover.DoorView) {
	behind := map[string]int{}
	for _, d := range all {
		behind[d.Kind] += len(d.Behind)
	}
	for _, kind := range doorKinds {
		m.behind.WithLabelValues(kind).Set(float64(behind[kind]))
	}
}
