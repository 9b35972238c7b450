package gossip

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// What travels: ours, and the engine's two ways.
const (
	kindDatagram   = "datagram"   // sealed by Send
	kindMembership = "membership" // the engine's packets
	kindStream     = "stream"     // the engine's streams: joins and state exchange
)

// Why a packet or stream went no further.
const (
	dropGate           = "gate"
	dropForeign        = "foreign"         // does not open: other key, other cluster, garbled
	dropQueueFull      = "queue_full"      // the daemon does not keep up
	dropMembershipFull = "membership_full" // the engine does not keep up
	dropStreamsFull    = "streams_full"
)

// metrics are bytes without IP, UDP and TCP headers.
type metrics struct {
	registerer prometheus.Registerer
	collectors []prometheus.Collector

	sentBytes, receivedBytes     *prometheus.CounterVec
	sentPackets, receivedPackets *prometheus.CounterVec
	out, in                      map[string]traffic // of these, by kind: a packet costs no look-up by labels
	dropped                      *prometheus.CounterVec
	joins                        *prometheus.CounterVec
	conflicts                    prometheus.Counter
	alive                        prometheus.Gauge
	unkept                       prometheus.Gauge
}

// newMetrics registers the package's metrics with reg, or with a private
// registry if reg is nil. It fails if reg has them already.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{registerer: reg}
	counters := func(name, help, label string, values ...string) *prometheus.CounterVec {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "moonwatch", Subsystem: "gossip", Name: name, Help: help,
		}, []string{label})
		for _, v := range values {
			vec.WithLabelValues(v) // so that a graph shows 0
		}
		m.collectors = append(m.collectors, vec)
		return vec
	}
	m.sentBytes = counters("sent_bytes_total", "Bytes sent, without headers of the network.", "kind", kindDatagram, kindMembership, kindStream)
	m.receivedBytes = counters("received_bytes_total", "Bytes received, without headers of the network.", "kind", kindDatagram, kindMembership, kindStream)
	m.sentPackets = counters("sent_packets_total", "Packets sent, and streams opened.", "kind", kindDatagram, kindMembership, kindStream)
	m.receivedPackets = counters("received_packets_total", "Packets received, and streams accepted.", "kind", kindDatagram, kindMembership, kindStream)
	m.out, m.in = map[string]traffic{}, map[string]traffic{}
	for _, kind := range []string{kindDatagram, kindMembership, kindStream} {
		m.out[kind] = traffic{m.sentPackets.WithLabelValues(kind), m.sentBytes.WithLabelValues(kind)}
		m.in[kind] = traffic{m.receivedPackets.WithLabelValues(kind), m.receivedBytes.WithLabelValues(kind)}
	}
	m.dropped = counters("dropped_packets_total", "Packets and streams dropped, by reason.", "reason",
		dropGate, dropForeign, dropQueueFull, dropMembershipFull, dropStreamsFull)
	m.joins = counters("joins_total", "Addresses that were asked to take us in, by result.", "result", joinResults()...)
	m.conflicts = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "moonwatch", Subsystem: "gossip", Name: "conflicts_total",
		Help: "Times that one name was seen at two addresses.",
	})
	m.alive = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "moonwatch", Subsystem: "gossip", Name: "alive_members",
		Help: "Members that this agent's view shows alive, itself included.",
	})
	m.unkept = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "moonwatch", Subsystem: "gossip", Name: "keys_unkept",
		Help: "1 while the key file could not be written after a rotation: a restart would not find the cluster.",
	})
	m.collectors = append(m.collectors, m.conflicts, m.alive, m.unkept)

	var failed []error
	for _, c := range m.collectors {
		failed = append(failed, reg.Register(c))
	}
	if err := errors.Join(failed...); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

// unregister frees the names, so that the agent can be opened again.
func (m *metrics) unregister() {
	for _, c := range m.collectors {
		m.registerer.Unregister(c)
	}
}

// traffic is what went one way.
type traffic struct{ packets, bytes prometheus.Counter }

func (x traffic) add(bytes int) {
	x.packets.Inc()
	x.bytes.Add(float64(bytes))
}

func (m *metrics) sent(kind string, bytes int) { m.out[kind].add(bytes) }

func (m *metrics) received(kind string, bytes int) { m.in[kind].add(bytes) }

func (m *metrics) drop(reason string) { m.dropped.WithLabelValues(reason).Inc() }
