package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/failover/driver"
	"moonwatch/status"
)

type metrics struct {
	step, write                                                                     prometheus.Histogram
	dropped, bad, unverified, unaddressed, unsent, crowded, diskErrors, headsDiffer prometheus.Counter
	facts, steps                                                                    *prometheus.CounterVec
	mode                                                                            *prometheus.GaugeVec

	told   doorMetrics
	notify notifyMetrics
	fleet  fleetMetrics
}

func newMetrics(reg prometheus.Registerer, d *Daemon) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	histogram := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)})
		reg.MustRegister(h)
		return h
	}
	m := &metrics{
		step:        histogram("moonwatch_daemon_step_seconds", "How long one turn of the agent's loop took."),
		write:       histogram("moonwatch_daemon_write_seconds", "How long one write to the ledger's disk took."),
		dropped:     counter("moonwatch_daemon_events_dropped_total", "Events that found the loop's queue full."),
		bad:         counter("moonwatch_daemon_datagrams_bad_total", "Datagrams that were not understood."),
		unverified:  counter("moonwatch_daemon_datagrams_unverified_total", "Signed datagrams whose signature did not fit or whose signer is not known."),
		unaddressed: counter("moonwatch_daemon_datagrams_unaddressed_total", "Datagrams not sent because the member's address is not known."),
		unsent:      counter("moonwatch_daemon_datagrams_unsent_total", "Datagrams that the network did not take."),
		crowded:     counter("moonwatch_daemon_deeds_crowded_total", "Deeds not done because too many were under way."),
		headsDiffer: counter("moonwatch_daemon_heads_differ_total", "Heads of the audit chain that were not what is remembered, or could not be noted."),
		diskErrors:  counter("moonwatch_daemon_disk_errors_total", "Writes that failed and were tried again."),
		facts:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "moonwatch_daemon_facts_total", Help: "Facts applied since the start."}, []string{"kind", "result"}),
		steps:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "moonwatch_daemon_steps_total", Help: "Steps done on this member."}, []string{"step", "outcome"}),
		mode:        prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "moonwatch_daemon_mode", Help: "1 for the mode that holds now."}, []string{"mode"}),
	}
	m.told = newDoorMetrics(reg)
	m.notify = newNotifyMetrics(reg)
	m.fleet = newFleetMetrics(reg, d)
	reg.MustRegister(m.facts, m.steps, m.mode,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "moonwatch_daemon_queue_length", Help: "Events that wait for the loop."},
			func() float64 { return float64(len(d.events)) }))
	for _, k := range knownKinds {
		m.facts.WithLabelValues(string(k), "accepted")
		m.facts.WithLabelValues(string(k), "refused")
	}
	for _, s := range []failover.StepKind{failover.StepActivate, failover.StepPrepare, failover.StepRestart, failover.StepStop} {
		for o := driver.Unknown; o <= driver.Permanent; o++ {
			m.steps.WithLabelValues(string(s), o.String())
		}
	}
	for _, x := range modes {
		m.mode.WithLabelValues(string(x))
	}
	return m
}

var knownKinds = []consensus.FactKind{
	consensus.KindGenesis, consensus.KindFleet, consensus.KindVerdict,
	failover.KindCaseOpened, failover.KindCaseStep, failover.KindReport, failover.KindBrake, failover.KindReturned, failover.KindEnforcer, failover.KindFencer, failover.KindFenceOrder,
	failover.KindTold, failover.KindCarried, consensus.KindThrottle, consensus.KindPin, consensus.KindUnpin, consensus.KindRevoked,
}

var modes = []failover.Mode{failover.Normal, failover.Guarded, failover.Cascade, failover.Isolated}

// fact counts one applied fact. Kinds that a newer agent writes are one label.
func (m *metrics) fact(f consensus.Fact) {
	kind := "other"
	for _, k := range knownKinds {
		if f.Command.Kind == k {
			kind = string(k)
		}
	}
	result := "accepted"
	if !f.Accepted {
		result = "refused"
	}
	m.facts.WithLabelValues(kind, result).Inc()
}

// observe sets the gauges that follow from the state and from the page made of it.
func (m *metrics) observe(d *Daemon, mode failover.Mode, p status.Page) {
	for _, x := range modes {
		v := 0.0
		if x == mode {
			v = 1
		}
		m.mode.WithLabelValues(string(x)).Set(v)
	}
	m.told.observe(d.mind.State().Doors(p.Now))
	m.fleet.observe(p, time.Duration(d.clockAhead.Load()))
}

// stats are the numbers that the page shows about this agent itself.
func (d *Daemon) stats() []status.Stat { return nil }
