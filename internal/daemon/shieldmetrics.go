package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/shield"
)

// shieldMetrics are what a door knows of the demand, and whom it holds.
type shieldMetrics struct {
	pressure, capacity, asked, admitted prometheus.Gauge
	served, overload                    prometheus.Gauge
	held, rungs, votes                  *prometheus.GaugeVec
	decided                             prometheus.Histogram

	doors, live, oldest prometheus.Gauge
	heard, dropped      prometheus.Counter
	refused, suppressed *prometheus.CounterVec
	single              heldMetrics
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
		capacity: gauge("capacity_requests", "Requests a second that the pools are held to serve, or requests at once where shield.unit is time; 0 while it is not known."),
		asked:    gauge("asked_requests", "Requests a second, refused ones included."),
		admitted: gauge("admitted_requests", "Requests a second that were let in."),
		held:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "moonwatch_shield_held_subdomains", Help: "Subdomains of which a part is let in; shadow: would be."}, []string{"shadow"}),
	}
	gauges := func(name, help string, rungs []shield.Rung) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "moonwatch_shield_" + name, Help: help}, []string{"rung"})
		for _, r := range rungs {
			g.WithLabelValues(r.String())
		}
		reg.MustRegister(g)
		return g
	}
	m.served = gauge("served_ratio", "Part of the requests let in that were answered well, lately; 1 while none was let in.")
	m.overload = gauge("overload", "1 while too much is asked for and nobody in particular is to blame.")
	m.rungs = gauges("rung_subdomains", "Subdomains on a rung at this door; none of them in shadow.", shield.Rungs())
	m.votes = gauges("votes", "Standing votes of this door.", []shield.Rung{shield.Challenge, shield.Stop, shield.Drop})
	m.suppressed = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "moonwatch_shield_suppressed_total", Help: "Rungs that the doors voted for and a gate forbids, by gate, said by the door that proposes."}, []string{"why"})
	for _, g := range shield.Gates() {
		m.suppressed.WithLabelValues(string(g))
	}
	m.decided = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "moonwatch_shield_decision_seconds", Help: "From the first tick under pressure until somebody is held.",
		Buckets: prometheus.ExponentialBuckets(0.05, 2, 8), // one tick to 6.4 s
	})
	reg.MustRegister(m.decided)
	m.oldest = gauge("report_age_seconds", "Time since the door was heard that was heard longest ago, of those that are.")
	m.doors = gauge("doors", "Doors that there are, this one among them.")
	m.live = gauge("doors_heard", "Doors that are heard, this one among them.")
	m.heard = counter("reports_heard_total", "Reports of other doors that could be read.")
	m.dropped = counter("reports_dropped_total", "Words of other doors that found no room.")
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "moonwatch_shield_reports_refused_total", Help: "Words of other doors that were not believed."}, []string{"why"})
	for _, why := range shield.Refusals() {
		m.refused.WithLabelValues(string(why))
	}
	reg.MustRegister(m.held, m.refused, m.suppressed)
	m.held.WithLabelValues("true")
	m.held.WithLabelValues("false")
	m.single = newHeldMetrics(reg)
	return m
}

// nothing is what a door without a shield tells.
func (m shieldMetrics) nothing() {
	for _, g := range []prometheus.Gauge{m.pressure, m.capacity, m.asked, m.admitted, m.overload, m.oldest, m.doors, m.live, m.held.WithLabelValues("true"), m.held.WithLabelValues("false")} {
		g.Set(0)
	}
	m.served.Set(1)
	m.onRungs(nil, nil)
}

func (m shieldMetrics) onRungs(held []shield.Measure, votes []shield.Vote) {
	n, v := map[shield.Rung]float64{}, map[shield.Rung]float64{}
	for _, x := range held {
		if !x.Shadow {
			n[x.Rung]++
		}
	}
	for _, x := range votes {
		v[x.Rung]++
	}
	for _, r := range shield.Rungs() {
		m.rungs.WithLabelValues(r.String()).Set(n[r])
		if r.Voted() {
			m.votes.WithLabelValues(r.String()).Set(v[r])
		}
	}
}

func (m shieldMetrics) observe(s *shield.Shield, unit shield.CapacityRules) {
	f := s.Fleet()
	m.pressure.Set(s.Shares().Pressure)
	m.capacity.Set(unit.InUnit(s.Capacity()))
	m.asked.Set(f.Asked)
	m.admitted.Set(f.Admitted)
	m.served.Set(1)
	if f.Admitted > 0 {
		m.served.Set(min(f.Served/f.Admitted, 1))
	}
	m.overload.Set(map[bool]float64{true: 1}[s.Overloaded()])
	m.oldest.Set(f.Oldest.Seconds())
	m.onRungs(s.Measures().List(), s.Votes())
	m.doors.Set(float64(f.Doors))
	m.live.Set(float64(len(f.Live)))
	n := map[bool]float64{}
	for _, x := range s.Measures().List() {
		n[x.Shadow]++
	}
	m.held.WithLabelValues("true").Set(n[true])
	m.held.WithLabelValues("false").Set(n[false])
}
