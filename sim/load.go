package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
)

// Load is a stream of requests for one subdomain, served by one pool.
type Load struct {
	Host string
	Pool string
	RPS  float64 // requests a second, evenly spread
}

// Requests is what became of the requests for one host.
type Requests struct {
	Host    string
	Total   int
	Failed  int         // the client got an error, or no answer
	Seconds []PerSecond // from the first second of the world on
}

// PerSecond counts the requests that began within one second.
type PerSecond struct{ Total, Failed int }

// Requests tells for each host of Config.Load, in that order, what became of
// its requests so far.
func (w *World) Requests() []Requests {
	var out []Requests
	for _, d := range w.doors {
		r := Requests{Host: d.load.Host, Seconds: slices.Clone(d.seconds)}
		for _, s := range d.seconds {
			r.Total += s.Total
			r.Failed += s.Failed
		}
		out = append(out, r)
	}
	return out
}

// checkLoad lists what is wrong with the loads of a world.
func checkLoad(loads []Load, fleet member.Fleet) error {
	var wrong []error
	seen := map[string]bool{}
	for _, l := range loads {
		known := slices.ContainsFunc(fleet.Pools, func(p member.Pool) bool { return p.Name == l.Pool })
		switch {
		case l.Host == "":
			wrong = append(wrong, errors.New("load: host is empty"))
		case seen[l.Host]:
			wrong = append(wrong, fmt.Errorf("load %s: named twice", l.Host))
		case !known:
			wrong = append(wrong, fmt.Errorf("load %s: no pool %s", l.Host, l.Pool))
		case l.RPS <= 0:
			wrong = append(wrong, fmt.Errorf("load %s: rps is %v, want more than 0", l.Host, l.RPS))
		}
		seen[l.Host] = true
	}
	return errors.Join(wrong...)
}

// flood multiplies the requests for a host.
func (w *World) flood(host string, times float64) {
	for _, d := range w.doors {
		if d.load.Host == host {
			d.times *= times
		}
	}
}

func (w *World) floodBegins(f Fault) {
	if w.cfg.Shield.Floods(f.Host) {
		w.shield.floodHost(f, true)
		return
	}
	w.flood(f.Host, f.Share)
}

func (w *World) floodEnds(f Fault) {
	if w.cfg.Shield.Floods(f.Host) {
		w.shield.floodHost(f, false)
		return
	}
	w.flood(f.Host, 1/f.Share)
}

// doorTick is how often a door deals out what came meanwhile.
const doorTick = 100 * time.Millisecond

// openDoors makes the doors, and lets requests come.
func (w *World) openDoors() {
	for _, l := range w.cfg.Load {
		w.doors = append(w.doors, &door{w: w, load: l, times: 1, tokens: retryBurst})
	}
	if len(w.doors) == 0 {
		return
	}
	var tick func()
	tick = func() {
		for _, d := range w.doors {
			d.tick()
		}
		w.after(doorTick, tick)
	}
	w.after(doorTick, tick)
}
