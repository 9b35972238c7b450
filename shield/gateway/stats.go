package gateway

import (
	"time"
)

// Stats is a picture of the gateway for people. Its numbers are read one after
// another and need not agree to the last request.
type Stats struct {
	InFlight int64       `json:"in_flight"`
	Pools    []PoolStats `json:"pools"` // in the order of the table
}

// PoolStats is one pool.
type PoolStats struct {
	Name      string          `json:"name"`
	Requests  uint64          `json:"requests"`
	P50       time.Duration   `json:"p50_ns"` // of the last 10 to 20 s, 0 without answers
	P99       time.Duration   `json:"p99_ns"`
	LateAfter time.Duration   `json:"late_after_ns"` // when an answer is asked for elsewhere
	Occupants []OccupantStats `json:"occupants"`     // in the order of the table, vacant slots too
}

// OccupantStats is one slot of a pool and how its occupant does.
type OccupantStats struct {
	Occupant
	InFlight   int64     `json:"in_flight"`
	Answers    uint64    `json:"answers"`
	Failures   uint64    `json:"failures"` // connect errors, late and broken answers
	Ejections  uint64    `json:"ejections"`
	EjectedAt  time.Time `json:"ejected_at,omitzero"` // zero: it is chosen
	AnsweredAt time.Time `json:"answered_at,omitzero"`
}

// Stats reads the numbers of now.
func (g *Gateway) Stats() Stats {
	t := g.table.Load()
	occupants := make(map[key]*occupant)
	pools := make(map[string]*pool)
	for p, v := range t.views {
		pools[p.name] = p
		for _, o := range v.live {
			occupants[o.key] = o
		}
		for _, o := range v.drained {
			occupants[o.key] = o
		}
	}
	s := Stats{InFlight: g.inFlight.Load()}
	now := g.cfg.Now()
	for _, in := range t.source.Pools {
		p := pools[in.Name]
		out := PoolStats{
			Name: in.Name, Requests: p.budget.requests.Load(), LateAfter: p.latency.lateAfter(now),
			P50: time.Duration(p.latency.p50.Load()), P99: time.Duration(p.latency.p99.Load()),
		}
		for _, seat := range in.Occupants {
			line := OccupantStats{Occupant: seat}
			if o := occupants[key{in.Name, seat.Slot, seat.SlotEpoch, seat.Member, seat.Addr}]; o != nil {
				line.InFlight, line.Answers, line.Failures = o.inFlight.Load(), o.answers.Load(), o.failures.Load()
				line.Ejections = o.ejections.Load()
				line.EjectedAt, line.AnsweredAt = instant(o.ejectedAt.Load()), instant(o.answeredAt.Load())
			}
			out.Occupants = append(out.Occupants, line)
		}
		s.Pools = append(s.Pools, out)
	}
	return s
}

// instant is the time of Unix nanoseconds, 0 being never.
func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
