// Package replay shows what the shield would have done about the requests of an access
// log: the decisions of package shield, in the time of the log.
//
// It plays one door that stands alone. What the log tells of is what was asked for: a
// request that the shield would have refused is counted as refused, and what its clients
// would have done then, nobody knows. Same log, same result.
package replay

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/admit"
	"moonwatch/shield/count"
)

// Config says what is played.
type Config struct {
	// Capacity in requests a second; 0: it is learned from answers of 503.
	Capacity float64
	// Highest rung to which the only door may climb by its vote; below challenge: none.
	Highest shield.Rung
	// NeverStop are hosts that are at most challenged.
	NeverStop []string
}

// Request is one line of a log.
type Request struct {
	At     time.Time
	Host   string
	Client string
	Status int
	Took   time.Duration // 0: the log does not say
	coarse bool          // its time is of a whole second
}

// Result is what would have been done.
type Result struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Requests int       `json:"requests"`
	Hosts    int       `json:"subdomains"` // that were counted alone
	Late     int       `json:"late"`       // more than a second after a younger one
	Ahead    int       `json:"ahead"`      // more than ten minutes ahead of those after it: passed over
	Capacity float64   `json:"capacity"`   // at the end; 0: nothing showed it
	Learned  bool      `json:"capacity_learned"`
	Pressure float64   `json:"most_pressure"` // demand of the capacity, at most
	Refused  int       `json:"refused"`
	Held     []Spell   `json:"held"`              // whom something would have been refused, by begin
	Whole    int       `json:"held_let_in_whole"` // came onto the ladder, and nothing would have been refused
	Overload []Span    `json:"overload"`          // too much was asked for, and nobody in particular to blame
	Notes    []Note    `json:"notes"`
}

// Spell is the time for which a subdomain would have been held.
type Spell struct {
	Host    string    `json:"host"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Rung    string    `json:"rung"` // the hardest
	Admit   int       `json:"least_admit_permille"`
	Demand  float64   `json:"most_demand"` // requests a second
	Share   float64   `json:"share"`       // of the capacity, when the demand was most
	Asked   int       `json:"asked"`
	Refused int       `json:"refused"`
	Why     string    `json:"why"` // when the demand was most

	rung shield.Rung
	key  shield.Key
}

// Span is a stretch of time.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Note is what the shield would have said.
type Note struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Host string    `json:"host,omitempty"`
	Text string    `json:"text"`
}

const (
	tick = 50 * time.Millisecond // as in shield/middleware
	// quiet is a silence of the log after which the ticks are longer, and long one after
	// which they stop: nothing that the shield knows lasts for longer.
	quiet, long = 10 * time.Second, 10 * time.Minute
	// mostNotes and mostSpells bound a result.
	mostNotes, mostSpells = 1000, 10_000
)

// Replay takes requests in the order of their times, or nearly so.
type Replay struct {
	door     *admit.Alone
	rules    shield.ThrottleRules
	standing shield.Standing
	counter  *count.Counter
	now      time.Time
	ahead    []Request // that are held back
	open     map[shield.Key]*Spell
	result   Result
}

// New begins with nothing known.
func New(cfg Config) (*Replay, error) {
	counter, err := count.New(count.Config{Hosts: 100_000, Learn: 100_000})
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	c := shield.DefaultConfig("this-door")
	c.Shadow, c.Capacity.Configured = false, cfg.Capacity
	cfg.Highest = max(cfg.Highest, shield.ShapeFleet)
	c.Throttle.Highest, c.Throttle.TrustSingleDoor, c.Throttle.NeverStop = cfg.Highest, true, cfg.NeverStop
	c.Ladder.Highest = cfg.Highest
	r := &Replay{rules: c.Throttle, counter: counter, open: map[shield.Key]*Spell{}}
	// The key is known to everybody, so that the same clients are chosen each time.
	r.door, err = admit.NewAlone(admit.Config{Counter: counter, Key: []byte("moonwatch shield replay"), Now: func() time.Time { return r.now }}, c)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	r.result.Learned = cfg.Capacity == 0
	r.result.Held, r.result.Overload, r.result.Notes = []Spell{}, []Span{}, []Note{}
	return r, nil
}

// Add takes the next request of the log. One that is more than ten minutes ahead of all
// before it is played when those after it are as well, or at the end.
func (r *Replay) Add(q Request) {
	if r.now.IsZero() || q.At.After(r.now.Add(long)) {
		r.hold(q)
		return
	}
	r.strayed()
	r.play(q)
}

func (r *Replay) begin(at time.Time) {
	r.now, r.result.From = at, at
	r.do(r.door.Shield().Step(r.now, shield.Leads{Leading: true}))
}

func (r *Replay) play(q Request) {
	if q.At.Before(r.now.Add(-time.Second)) {
		r.result.Late++
	}
	r.until(q.At)
	r.result.Requests++
	ref := r.door.Gate.Count(q.Host)
	x := r.open[ref.Key()]
	if x != nil {
		x.Asked++
	}
	if why, _ := r.door.Gate.Judge(ref, q.http()); why != admit.LetIn {
		ref.Refuse()
		r.result.Refused++
		if x != nil {
			x.Refused++
		}
		return
	}
	r.door.Strain.Answer(q.Status)
	r.door.Gate.Answered(ref, q.Host, q.Status, q.Took)
}

// until ends the ticks before a moment.
func (r *Replay) until(at time.Time) {
	for idle := time.Duration(0); ; {
		step := tick
		if at.Sub(r.now) > quiet && len(r.open) == 0 {
			if step = time.Second; idle > long {
				r.now = at // what was known is forgotten
				return
			}
		}
		if at.Before(r.now.Add(step)) {
			return
		}
		idle += step
		r.now = r.now.Add(step)
		r.do(r.door.Tick(r.now, step, false))
		r.watch()
	}
}

// do carries out what the shield wants beside its measures.
func (r *Replay) do(effects []shield.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case shield.Propose: // its ledger accepts what the gates allow
			if r.standing.Check(r.rules, r.now, e.Throttle) == nil {
				r.standing.Apply(r.rules, r.now, e.Throttle)
				r.do(r.door.Shield().Step(r.now, shield.Ruled{Standing: r.standing}))
			}
		case shield.Note:
			r.note(e)
		default: // words for other doors, of which there are none, and what the gate does already
		}
	}
}

func (r *Replay) note(n shield.Note) {
	if len(r.result.Notes) < mostNotes {
		r.result.Notes = append(r.result.Notes, Note{At: r.now.UTC(), What: n.What.String(), Host: n.Host, Text: n.Text})
	}
	switch spans := r.result.Overload; n.What {
	case shield.OverloadBegan:
		r.result.Overload = append(spans, Span{From: r.now.UTC()})
	case shield.OverloadEnded:
		spans[len(spans)-1].To = r.now.UTC()
	default:
	}
}

// watch follows who is held.
func (r *Replay) watch() {
	s := r.door.Shield()
	r.result.Pressure = max(r.result.Pressure, s.Shares().Pressure)
	held := map[shield.Key]bool{}
	for _, m := range r.door.Gate.Measures().List() {
		if m.Rung == shield.Observe {
			continue
		}
		held[m.Key] = true
		x := r.open[m.Key]
		if x == nil {
			x = &Spell{key: m.Key, From: r.now.UTC(), Admit: shield.Whole}
			r.open[m.Key] = x
		}
		x.Host = cmp.Or(m.Host, x.Host)
		x.rung, x.Admit = max(x.rung, m.Rung), min(x.Admit, m.Admit)
		if m.Demand >= x.Demand {
			x.Demand, x.Share, x.Why = m.Demand, m.Limit, m.Why
		}
	}
	for k := range r.open {
		if !held[k] {
			r.end(k)
		}
	}
}

func (r *Replay) end(k shield.Key) {
	x := r.open[k]
	delete(r.open, k)
	x.To, x.Rung = r.now.UTC(), x.rung.String()
	switch {
	case x.Refused == 0:
		r.result.Whole++
	case len(r.result.Held) < mostSpells:
		r.result.Held = append(r.result.Held, *x)
	}
}

// End says what would have been done. Who is held at the end of the log is held until
// then.
func (r *Replay) End() Result {
	for len(r.ahead) > 0 {
		r.goOn()
	}
	r.until(r.now.Add(tick))
	for k := range r.open {
		r.end(k)
	}
	if n := len(r.result.Overload); n > 0 && r.result.Overload[n-1].To.IsZero() {
		r.result.Overload[n-1].To = r.now.UTC()
	}
	slices.SortFunc(r.result.Held, func(a, b Spell) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Host, b.Host), cmp.Compare(a.key, b.key))
	})
	r.result.From, r.result.To = r.result.From.UTC(), r.now.UTC()
	r.result.Hosts, r.result.Capacity = r.counter.Known(), r.door.Shield().Capacity()
	return r.result
}
