package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/shield"
)

// shieldMetrics are what a door knows of the demand, and whom it holds.
type shieldMetrics struct {
	pressure, capacity, asked, admitted prometheus.Gauge
	held                                *prometheus.GaugeVec

	doors, live    prometheus.Gauge
	heard, dropped prometheus.Counter
	refused        *prometheus.CounterVec
}

func newShieldMetrics(reg prometheus.Registerer) shieldMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "moonwatch_shield_" + name, Help: help})
		reg.MustRegister(g)
		return g
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "moonwatch_shield_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := shieldMetrics{
		pressure: gauge("pressure_ratio", "Demand / capacity, as this door sees it; 0 while no capacity is known."),
		capacity: gauge("capacity_requests", "Requests a second that the pools are held to serve; 0 while it is not known."),
		asked:    gauge("asked_requests", "Requests a second, refused ones included."),
		admitted: gauge("admitted_requests", "Requests a second that were let in."),
		held:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "moonwatch_shield_held_subdomains", Help: "Subdomains of which a part is let in; shadow: would be."}, []string{"shadow"}),
	}
	m.doors = gauge("doors", "Doors that there are, this one among them.")
	m.live = gauge("doors_heard", "Doors that are heard, this one among them.")
	m.heard = counter("reports_heard_total", "Reports of other doors that could be read.")
	m.dropped = counter("reports_dropped_total", "Words of other doors that found no room.")
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "moonwatch_shield_reports_refused_total", Help: "Words of other doors that were not believed."}, []string{"why"})
	for _, why := range shield.Refusals() {
		m.refused.WithLabelValues(string(why))
	}
	reg.MustRegister(m.held, m.refused)
	m.held.WithLabelValues("true")
	m.held.WithLabelValues("false")
	return m
}

// nothing is what a door without a shield tells.
func (m shieldMetrics) nothing() {
	for _, g := range []prometheus.Gauge{m.pressure, m.capacity, m.asked, m.admitted, m.doors, m.live, m.held.WithLabelValues("true"), m.held.WithLabelValues("false")} {
		g.Set(0)
	}
}

func (m shieldMetrics) observe(s *shield.Shield) {
	f := s.Fleet()
	m.pressure.Set(s.Shares().Pressure)
	m.capacity.Set(s.Capacity())
	m.asked.Set(f.Asked)
	m.admitted.Set(f.Admitted)
	m.doors.Set(float64(f.Doors))
	m.live.Set(float64(len(f.Live)))
	n := map[bool]float64{}
	for _, x := range s.Measures().List() {
		n[x.Shadow]++
	}
	m.held.WithLabelValues("true").Set(n[true])
	m.held.WithLabelValues("false").Set(n[false])
}
