package daemon

import (
	"net/http"
	"time"

	"moonwatch/status"
)

// serveCouncil tells who sits in the council and how each of them is: their clocks are
// asked for now, how far their logs are only the leader knows.
func (d *Daemon) serveCouncil(w http.ResponseWriter, r *http.Request) {
	p := d.Page()
	doc := status.CouncilDocument{
		Schema: status.Schema, Now: time.Now().UTC(), Self: d.self, Cluster: d.cluster, Council: p.Council, Knowledge: p.Knowledge,
	}
	warm := d.warmth.Load()
	for _, s := range d.seats() {
		s.Leader = s.Member == p.Council.Leader
		if warm != nil {
			if has, known := (*warm)[s.Member]; known {
				s.Match = has
			}
		}
		if s.Member == d.self {
			s.Heard, s.Head = true, d.feed.head()
			s.DiskFull = d.diskFull.Load() != nil
		} else if addr, ok := d.peers.linkAddress(s.Member); ok {
			began := time.Now()
			if h, _, err := d.link.Ask(r.Context(), addr); err == nil && h.Name == s.Member {
				took := time.Since(began)
				s.Heard, s.Head = true, h.Head
				s.ClockAhead = h.Now.Sub(began.Add(took / 2).Round(0)).Seconds()
			}
		}
		doc.Seats = append(doc.Seats, s)
	}
	reply(w, http.StatusOK, doc)
}

// seats are those of the ledger, as the loop last saw them.
func (d *Daemon) seats() []status.Seat {
	if s := d.seating.Load(); s != nil {
		return append([]status.Seat(nil), *s...)
	}
	return nil
}

// noteWarmth tells how far the seats' logs are, on the leader.
func (d *Daemon) noteWarmth() {
	w := d.mind.Warmth()
	if w == nil {
		d.warmth.Store(nil)
		return
	}
	d.warmth.Store(&w)
}
