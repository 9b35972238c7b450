package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/shield/admit"
)

// result is how a client's request ended.
type result string

const (
	resultServed     result = "served"      // an occupant's answer, whatever its status
	resultTruncated  result = "truncated"   // its head, and then it broke off
	resultFailed     result = "failed"      // 502
	resultTimeout    result = "timeout"     // 504
	resultNoOccupant result = "no_occupant" // 503
	resultFull       result = "full"        // 503
	resultDisplaced  result = "displaced"   // 503: its place went to a subdomain that had fewer
	resultNoPool     result = "no_pool"     // 404
	resultBad        result = "bad_request" // 400, 405
	resultShed       result = "shed"        // 429, 503: its subdomain is held
	resultGone       result = "client_gone"
	resultSlow       result = "client_slow" // it took its answer too slowly
)

// Why a request was sent to another occupant.
const (
	retryUnsent = "unsent" // it had not reached the first one
	retryBroken = "broken" // the connection broke, and it is idempotent
	retryLate   = "late"   // the answer is late
)

type metrics struct {
	requests     *prometheus.CounterVec
	retries      *prometheus.CounterVec
	denied       prometheus.Counter
	shed         *prometheus.CounterVec
	ejections    *prometheus.CounterVec
	readmissions prometheus.Counter
	dropped      prometheus.Counter
	cut          prometheus.Counter
	seconds      prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, inFlight func() float64) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "moonwatch_gateway_" + name, Help: help})
	}
	counters := func(name, help, label string, values ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "moonwatch_gateway_" + name, Help: help}, []string{label})
		for _, v := range values {
			c.WithLabelValues(v)
		}
		return c
	}
	m := &metrics{
		requests: counters("requests_total", "Requests of clients, by how they ended.", "result",
			string(resultServed), string(resultTruncated), string(resultFailed), string(resultTimeout), string(resultNoOccupant),
			string(resultFull), string(resultDisplaced), string(resultNoPool), string(resultBad), string(resultShed), string(resultGone), string(resultSlow)),
		retries: counters("retries_total", "Sendings to another occupant, by reason.", "reason",
			retryUnsent, retryBroken, retryLate),
		denied: counter("retries_denied_total", "Late requests that were not sent again because the share was used up."),
		shed: counters("shed_total", "Requests of held subdomains that were not let in, by reason; would: the shield is in shadow, and they were.", "reason",
			admit.Reasons()...),
		ejections:    counters("ejections_total", "Occupants that were no longer chosen, by reason.", "reason", "refused", "late"),
		readmissions: counter("readmissions_total", "Ejected occupants that are chosen again."),
		cut:          counter("connections_cut_total", "Silent connections of clients that were closed because there were too many."),
		dropped:      counter("evidence_dropped_total", "Evidence that nobody took in time."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "moonwatch_gateway_answer_seconds",
			Help:    "From sending a request to the head of its answer, per occupant asked.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 17), // 0.5 ms to 33 s: up to half of the answer time-out
		}),
	}
	reg.MustRegister(m.requests, m.retries, m.denied, m.shed, m.ejections, m.readmissions, m.dropped, m.cut, m.seconds,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "moonwatch_gateway_in_flight_requests", Help: "Requests under way.",
		}, inFlight))
	return m
}
