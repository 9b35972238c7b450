package daemon

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/shield"
)

// heldMetrics tell of single subdomains, of those that are held alone: whoever can make up
// names cannot make up series.
type heldMetrics struct {
	asked, admitted *prometheus.GaugeVec
	refused         *prometheus.CounterVec
}

const (
	// heldSeries is of how many subdomains there are series at once; those beyond are OTHERS.
	heldSeries = 256
	others     = "OTHERS" // no host name is in capitals here
	// heldKept is for how long there is a series of refusals after the last one: a few scrapes.
	heldKept = 10 * time.Minute
)

func newHeldMetrics(reg prometheus.Registerer) heldMetrics {
	const prefix = "moonwatch_shield_subdomain_"
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + name, Help: help}, []string{"host", "shadow"})
		reg.MustRegister(g)
		return g
	}
	m := heldMetrics{
		asked:    gauge("asked_requests", "Requests a second for a subdomain that is held, at all doors, refused ones included."),
		admitted: gauge("admitted_requests", "Requests a second for a subdomain that is held that were let in, at all doors."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "refused_total", Help: "Requests for a subdomain that is held that this door did not let in, by its rung.",
		}, []string{"host", "rung"}),
	}
	reg.MustRegister(m.refused)
	return m
}

// heldLoop is what the shield's loop remembers of those that are held.
type heldLoop struct {
	told bool                  // somebody was held in the last tick
	read map[shield.Key]uint32 // how many requests for it the door had refused ever, modulo 2^32
	last map[string]time.Time  // when requests for a host were refused last
}

// observe takes in what one tick counted: of held subdomains what all doors see of them, and
// what this one refused.
func (h *heldLoop) observe(now time.Time, m heldMetrics, held []shield.Measure, counts []shield.Count, fleet []shield.Seen) {
	if h.told {
		m.asked.Reset()
		m.admitted.Reset()
	}
	h.told = len(held) > 0
	read := map[shield.Key]uint32{}
	for i, x := range held {
		if s := slices.IndexFunc(fleet, func(s shield.Seen) bool { return s.Key == x.Key }); s >= 0 {
			host, shadow := x.Host, strconv.FormatBool(x.Shadow)
			if i >= heldSeries || host == "" {
				host = others
			}
			m.asked.WithLabelValues(host, shadow).Add(fleet[s].Asked)
			m.admitted.WithLabelValues(host, shadow).Add(fleet[s].Admitted)
		}
		before, known := h.read[x.Key]
		if c := slices.IndexFunc(counts, func(c shield.Count) bool { return c.Key == x.Key }); c >= 0 {
			read[x.Key] = counts[c].Refused
			if grew := counts[c].Refused - before; known && grew > 0 && grew < 1<<31 { // else it was forgotten, and is known once more
				m.refused.WithLabelValues(h.series(now, x.Host), x.Rung.String()).Add(float64(grew))
			}
		} else if known { // nobody asked for it in this tick
			read[x.Key] = before
		}
	}
	h.read = read
	maps.DeleteFunc(h.last, func(host string, at time.Time) bool {
		over := now.Sub(at) > heldKept
		if over {
			m.refused.DeletePartialMatch(prometheus.Labels{"host": host})
		}
		return over
	})
}

// series is the name under which refusals of a host are counted.
func (h *heldLoop) series(now time.Time, host string) string {
	if _, has := h.last[host]; host == "" || !has && len(h.last) >= heldSeries {
		return others
	}
	if h.last == nil {
		h.last = map[string]time.Time{}
	}
	h.last[host] = now
	return host
}
