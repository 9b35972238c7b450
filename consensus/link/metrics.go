package link

import "github.com/prometheus/client_golang/prometheus"

// Why a raft frame was dropped.
const (
	dropFull        = "queue_full"  // the peer takes them slower than they come
	dropUnreachable = "unreachable" // no connection, and the next attempt is not due
	dropTooLarge    = "too_large"
)

// Why a connection or a request was refused.
const (
	refusedTLS       = "tls"       // no good certificate, or no TLS at all
	refusedGate      = "gate"      // the gate is closed
	refusedCrowd     = "crowd"     // too many connections
	refusedFollowers = "followers" // all seats at the feed are taken
)

type metrics struct {
	sent, received             prometheus.Counter
	framesSent, framesReceived prometheus.Counter
	drops, refused, submits    *prometheus.CounterVec
	factsSent, snapshotsSent   prometheus.Counter
	followers                  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "moonwatch", Subsystem: "link", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	counters := func(name, help, label string, values ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "moonwatch", Subsystem: "link", Name: name, Help: help}, []string{label})
		for _, v := range values {
			c.WithLabelValues(v)
		}
		reg.MustRegister(c)
		return c
	}
	followers := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "moonwatch", Subsystem: "link", Name: "followers", Help: "Members that follow our feed now."})
	reg.MustRegister(followers)
	return &metrics{
		followers:      followers,
		sent:           counter("sent_bytes_total", "Bytes written to connections, TLS included."),
		received:       counter("received_bytes_total", "Bytes read from connections, TLS included."),
		framesSent:     counter("raft_frames_sent_total", "Raft frames handed to a connection."),
		framesReceived: counter("raft_frames_received_total", "Raft frames received."),
		drops: counters("raft_drops_total", "Raft frames dropped before they were sent.", "reason",
			dropFull, dropUnreachable, dropTooLarge),
		refused: counters("refusals_total", "Connections and followers that were refused.", "reason",
			refusedTLS, refusedGate, refusedCrowd, refusedFollowers),
		submits:       counters("submits_total", "Commands that members submitted here.", "result", "ok", "error"),
		factsSent:     counter("feed_facts_sent_total", "Facts sent to followers, each once per follower."),
		snapshotsSent: counter("feed_snapshots_sent_total", "Snapshots sent to followers that were too far behind."),
	}
}
