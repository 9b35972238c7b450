package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/shield"
)

// shieldMetrics are what a door knows of the demand, and whom it holds.
type shieldMetrics struct {
	pressure, capacity, asked, admitted prometheus.Gauge
	held                                *prometheus.GaugeVec
}

func newShieldMetrics(reg prometheus.Registerer) shieldMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "moonwatch_shield_" + name, Help: help})
		reg.MustRegister(g)
		return g
	}
	m := shieldMetrics{
		pressure: gauge("pressure_ratio", "Demand / capacity, as this door sees it; 0 while no capacity is known."),
		capacity: gauge("capacity_requests", "Requests a second that the pools are held to serve; 0 while it is not known."),
		asked:    gauge("asked_requests", "Requests a second, refused ones included."),
		admitted: gauge("admitted_requests", "Requests a second that were let in."),
		held:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "moonwatch_shield_held_subdomains", Help: "Subdomains of which a part is let in; shadow: would be."}, []string{"shadow"}),
	}
	reg.MustRegister(m.held)
	m.held.WithLabelValues("true")
	m.held.WithLabelValues("false")
	return m
}

// nothing is what a door without a shield tells.
func (m shieldMetrics) nothing() {
	for _, g := range []prometheus.Gauge{m.pressure, m.capacity, m.asked, m.admitted, m.held.WithLabelValues("true"), m.held.WithLabelValues("false")} {
		g.Set(0)
	}
}

func (m shieldMetrics) observe(s *shield.Shield) {
	f := s.Fleet()
	m.pressure.Set(s.Shares().Pressure)
	m.capacity.Set(s.Capacity())
	m.asked.Set(f.Asked)
	m.admitted.Set(f.Admitted)
	n := map[bool]float64{}
	for _, x := range s.Measures().List() {
		n[x.Shadow]++
	}
	m.held.WithLabelValues("true").Set(n[true])
	m.held.WithLabelValues("false").Set(n[false])
}
