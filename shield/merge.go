package shield

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"moonwatch/member"
)

// MergeRules are the numbers of Merge.
type MergeRules struct {
	// LiveFor is how long a door counts as heard after its last report. Shorter:
	// lost datagrams look like lost doors. 1 s: four reports in calm.
	LiveFor time.Duration
	// LateAfter: what a door said that has been silent for as long may be counted twice, for
	// its clients may be at the other doors by now. 200 ms: two reports under pressure.
	LateAfter time.Duration
	// MostRate is the most that a door is believed to be asked for, in units a
	// second. More is absurd.
	MostRate float64
	// ByCost: what requests cost counts, and not how many there are.
	ByCost bool
}

// DefaultMergeRules believes ten million requests a second.
func DefaultMergeRules() MergeRules {
	return MergeRules{LiveFor: time.Second, LateAfter: 200 * time.Millisecond, MostRate: 1e7}
}

// What Accept refuses a report for.
var (
	ErrUnknownDoor = errors.New("no door of this fleet")
	ErrReplayed    = errors.New("a younger report is here already")
	ErrAbsurd      = errors.New("absurd report")
	ErrOtherSalt   = errors.New("its keys are made by another salt")
)

// Merge holds the newest report of each door. In whatever order reports come,
// and however often, the newest is left; so all doors that heard the same
// reports hold the same.
type Merge struct {
	rules MergeRules
	doors map[member.ID]bool
	heard map[member.ID]heard
}

type heard struct {
	report Report
	at     time.Time
}

// NewMerge begins with nothing heard. Doors come by Expect.
func NewMerge(rules MergeRules) *Merge {
	return &Merge{rules: rules, doors: map[member.ID]bool{}, heard: map[member.ID]heard{}}
}

// Expect says which doors there are: those of the roster that stand under no
// verdict. What others said is forgotten, but not how young it was, so that an
// old report of a door that comes back is still a replay.
func (m *Merge) Expect(doors []member.ID) {
	clear(m.doors)
	for _, d := range doors {
		m.doors[d] = true
	}
}

// Accept takes a report in. It fails with ErrUnknownDoor, ErrReplayed or
// ErrAbsurd, and then changes nothing.
func (m *Merge) Accept(now time.Time, r Report) error {
	old, known := m.heard[r.Door]
	switch {
	case !m.doors[r.Door]:
		return fmt.Errorf("report %d of %s: %w", r.Seq, r.Door, ErrUnknownDoor)
	case known && (r.Life < old.report.Life || r.Life == old.report.Life && r.Seq <= old.report.Seq):
		return fmt.Errorf("report %d of %s: %w", r.Seq, r.Door, ErrReplayed)
	case known && r.Life == old.report.Life && (r.Total.Asked < old.report.Total.Asked || r.Total.Refused < old.report.Total.Refused):
		return fmt.Errorf("report %d of %s: %w: %d requests in all after %d", r.Seq, r.Door, ErrAbsurd, r.Total.Asked, old.report.Total.Asked)
	}
	if err := m.rules.believe(r); err != nil {
		return fmt.Errorf("report %d of %s: %w: %w", r.Seq, r.Door, ErrAbsurd, err)
	}
	m.heard[r.Door] = heard{report: r, at: now}
	return nil
}

// believe says what of a report cannot be.
func (rules MergeRules) believe(r Report) error {
	if r.Window < 10*time.Millisecond || r.Window > time.Minute {
		return fmt.Errorf("a window of %v, want 10ms to 1m", r.Window)
	}
	if float64(r.Served) > rules.MostRate*r.Window.Seconds() {
		return fmt.Errorf("%d requests served in %v", r.Served, r.Window)
	}
	if float64(r.Capacity) > mostRate {
		return fmt.Errorf("a capacity of %d", r.Capacity)
	}
	if err := rules.believeTraffic(r.Total, r.Window); err != nil {
		return err
	}
	for _, x := range r.Surges {
		if x.Over < 10*time.Millisecond || x.Over > r.Window || float64(x.Asked) > rules.MostRate*x.Over.Seconds() {
			return fmt.Errorf("%x surges with %d requests in %v, in a window of %v", uint64(x.Key), x.Asked, x.Over, r.Window)
		}
	}
	left := r.Total
	for _, l := range r.Lines {
		if err := rules.believeTraffic(l.Traffic, r.Window); err != nil {
			return fmt.Errorf("%x: %w", uint64(l.Key), err)
		}
		if l.Lately > left.Lately || l.Cost > left.Cost {
			return errors.New("its subdomains are asked for more often than it is")
		}
		left.Lately -= l.Lately
		left.Cost -= l.Cost
	}
	return nil
}

func (rules MergeRules) believeTraffic(t Traffic, window time.Duration) error {
	switch {
	case t.Refused > t.Asked, t.Admitted > t.Lately, t.Lately > t.Asked:
		return fmt.Errorf("%d of %d requests in the window, %d admitted, %d refused in all", t.Lately, t.Asked, t.Admitted, t.Refused)
	case float64(t.Lately) > rules.MostRate*window.Seconds():
		return fmt.Errorf("%d requests in %v, want at most %.0f a second", t.Lately, window, rules.MostRate)
	case float64(t.Cost) > mostRate*window.Seconds():
		return fmt.Errorf("a cost of %d in %v", t.Cost, window)
	default:
		return nil
	}
}

// Fleet is what all live doors see together.
type Fleet struct {
	Live       []member.ID // doors that are heard, sorted
	Doors      int         // that there are
	Asked      float64     // requests a second, refused ones included
	Admitted   float64     // requests a second
	Served     float64     // requests a second that were answered well
	Cost       float64     // of what was answered, a second
	Costed     float64     // requests a second that were let in where their costs are known
	Trouble    bool        // at doors that admit most of the requests
	Capacity   float64     // the middle of what the doors hold it to be; 0: none knows
	Subdomains int         // that the door knows that knows most
	Hosts      []Seen      // the heaviest first
	Spread     float64     // standard deviation of Asked: by how much chance alone moves what was counted
	Votes      map[Key][]Ballot
	Behind     uint64 // the oldest version of floors that a live door has
	byCost     bool
	Oldest     time.Duration // how long ago the live door was heard that was heard longest ago
}

// rate is what a report says is asked for a second, and how much of it may be chance.
type rate struct {
	perSecond, variance float64
	surges              bool
}

// rateOf measures a subdomain since it surges, if the report says that it does, or in the
// window. What a surge tells is never less than what the window does.
func (r *Report) rateOf(t Traffic, k Key) rate {
	over := r.Window.Seconds()
	out := rate{perSecond: float64(t.Lately) / over}
	out.variance = out.perSecond / over
	for _, x := range r.Surges {
		if now := float64(x.Asked) / x.Over.Seconds(); x.Key == k && now > out.perSecond {
			return rate{perSecond: now, variance: now / x.Over.Seconds(), surges: true}
		}
	}
	return out
}

// Ballot is a door's standing vote.
type Ballot struct {
	Door member.ID
	Vote
}

// Seen is what all live doors together report of one subdomain.
type Seen struct {
	Key      Key
	Asked    float64 // requests a second
	Admitted float64
	Cost     float64
	Costed   float64     // as Admitted, at doors that know costs
	Spread   float64     // standard deviation of Asked
	Doubt    float64     // what of Asked may be counted twice
	Surges   bool        // at a door it grew many times within less than a window, and alone
	Doors    []member.ID // that have a part in it worth speaking of, sorted
}

// Majority reports that most doors are heard. Fewer are a minority, which never
// does more than shape alone.
func (f *Fleet) Majority() bool { return 2*len(f.Live) > f.Doors }

// evidencePart of a subdomain's requests has to pass a door for that door to
// have evidence about it, or half of a door's even part, if that is less. 5 %: less
// says nothing about a flood; of a hundred doors each may have one in a hundred.
const evidencePart = 0.05

// evidence is the part of a subdomain's requests that is evidence at one of so many doors.
func evidence(doors int) float64 { return min(evidencePart, 0.5/float64(max(doors, 1))) }

// Fleet sums up what the doors said that are heard. It depends on the reports
// held and on which of them are young enough, and on nothing else.
func (m *Merge) Fleet(now time.Time) Fleet {
	f := Fleet{byCost: m.rules.ByCost, Doors: len(m.doors), Votes: map[Key][]Ballot{}, Behind: math.MaxUint64}
	for d := range m.doors {
		if h, ok := m.heard[d]; ok && now.Sub(h.at) <= m.rules.LiveFor {
			f.Live = append(f.Live, d)
			f.Oldest = max(f.Oldest, now.Sub(h.at))
		}
	}
	slices.Sort(f.Live)
	type part struct {
		door  member.ID
		asked float64
	}
	sums, parts := map[Key]*Seen{}, map[Key][]part{}
	var capacities []float64
	troubled := 0.0
	for _, d := range f.Live {
		r, late, costs := m.heard[d].report, now.Sub(m.heard[d].at) > m.rules.LateAfter, 0.0
		if r.Total.Cost > 0 { // the door knows what its requests cost
			costs = 1
		}
		per := 1 / r.Window.Seconds()
		whole := r.rateOf(r.Total, 0)
		f.Admitted += float64(r.Total.Admitted) * per
		f.Served += float64(r.Served) * per
		f.Cost += float64(r.Total.Cost) * per
		f.Costed += float64(r.Total.Admitted) * per * costs
		f.Behind = min(f.Behind, r.Floors)
		f.Subdomains = max(f.Subdomains, r.Subdomains)
		if r.Trouble {
			troubled += float64(r.Total.Admitted) * per
		}
		if r.Capacity > 0 && r.ByCost == m.rules.ByCost { // another unit's number means nothing here
			capacities = append(capacities, float64(r.Capacity))
		}
		for _, l := range r.Lines {
			s := sums[l.Key]
			if s == nil {
				s = &Seen{Key: l.Key}
				sums[l.Key] = s
			}
			line := r.rateOf(l.Traffic, l.Key)
			if line.surges {
				window := r.rateOf(l.Traffic, 0)
				whole.perSecond += line.perSecond - window.perSecond
				whole.variance += line.variance - window.variance
			}
			s.Asked += line.perSecond
			s.Spread += line.variance
			s.Surges = s.Surges || line.surges
			if late {
				s.Doubt += line.perSecond
			}
			s.Admitted += float64(l.Admitted) * per
			s.Cost += float64(l.Cost) * per
			s.Costed += float64(l.Admitted) * per * costs
			parts[l.Key] = append(parts[l.Key], part{d, line.perSecond})
		}
		f.Asked += min(whole.perSecond, m.rules.MostRate)
		f.Spread += whole.variance
		for _, v := range r.Votes {
			f.Votes[v.Key] = append(f.Votes[v.Key], Ballot{Door: d, Vote: v})
		}
	}
	f.Trouble = troubled > f.Admitted/2
	f.Spread = math.Sqrt(f.Spread)
	if slices.Sort(capacities); len(capacities) > 0 {
		f.Capacity = capacities[len(capacities)/2]
	}
	for k, s := range sums {
		s.Spread = math.Sqrt(s.Spread)
		for _, p := range parts[k] {
			if p.asked > 0 && p.asked >= evidence(len(f.Live))*s.Asked {
				s.Doors = append(s.Doors, p.door)
			}
		}
		f.Hosts = append(f.Hosts, *s)
	}
	slices.SortFunc(f.Hosts, func(a, b Seen) int {
		return cmp.Or(cmp.Compare(b.Asked, a.Asked), cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Key, b.Key))
	})
	return f
}

// mostCandidates is how many subdomains the doors answer exactly about. Each
// door adds what is heavy at itself in the rest of its report.
const mostCandidates = MaxLines / 2

// Candidates are the subdomains that a door answers about in its next report,
// whether they are heavy there or not: with these answers, the second round,
// the sums of all candidates are exact.
func (f *Fleet) Candidates() []Key {
	var out []Key
	add := func(hosts []Seen, most int) {
		for _, s := range hosts[:min(len(hosts), most)] {
			if !slices.Contains(out, s.Key) {
				out = append(out, s.Key)
			}
		}
	}
	if f.byCost { // few that cost much, and many that cost little
		dear := slices.Clone(f.Hosts)
		slices.SortStableFunc(dear, func(a, b Seen) int { return cmp.Compare(b.Cost, a.Cost) })
		add(dear, mostCandidates/2)
		add(f.Hosts, mostCandidates-len(out))
		return out
	}
	add(f.Hosts, mostCandidates)
	return out
}
