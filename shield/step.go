package shield

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/member"
)

// Shield is the decision of one door: what it says to the others, and what it
// does about whom.
type Shield struct {
	cfg      Config
	merge    *Merge
	capacity *Capacity
	usuals   *Usuals
	costs    costs
	ladder   *Ladder
	recent   recent

	seq    uint64
	said   time.Time
	surged map[Key]time.Duration // for how long who surges did, when it was said last
	fleet  Fleet
	shares Shares
	floors *Floors
	floorT time.Time
	leads  bool

	apart       bool      // it is none of the doors: it stands under a verdict, or in no policy
	began       time.Time // its first tick
	parted      time.Time // when it last heard no majority of the doors
	floorsSaid  time.Time // when floors were published last, by this door
	floorsHeard uint64    // the youngest version that a door said it has

	subdomains int
	trouble    bool
	handshakes bool
	doors      []member.ID
	ruled      Standing            // as the ledger has it
	seen       map[string]sighting // of that, by host
	standing   []Throttle          // of that, what stands now, with this door's keys
	votes      []Vote
	proposed   map[string]time.Time // by host
	unvoted    map[string]time.Time // since when what stands has not enough votes any more
	suppressed map[string]time.Time // when it was last said that a gate forbids what was voted for
	names      map[Key]string
	held       []Held
	measures   *Measures

	pressed, overloaded bool
	relaxed             time.Time // since when the pressure is gone
	blameless           time.Time // since when too much is asked for and nobody is to blame
}

// New makes the shield of a door that has heard nothing yet.
func New(cfg Config) (*Shield, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("new shield of %s: %w", cfg.Door, err)
	}
	cfg.Merge.ByCost = cfg.Capacity.ByCost
	s := &Shield{
		costs: newCosts(),
		cfg:   cfg, merge: NewMerge(cfg.Merge), capacity: NewCapacity(cfg.Capacity),
		usuals: NewUsuals(cfg.UsualOver), ladder: NewLadder(cfg.Ladder), recent: newRecent(cfg.Window, cfg.Surge, cfg.UsualOver),
		surged:   map[Key]time.Duration{},
		proposed: map[string]time.Time{}, seen: map[string]sighting{}, unvoted: map[string]time.Time{}, suppressed: map[string]time.Time{}, names: map[Key]string{}, measures: NewMeasures(nil),
	}
	s.recent.costs = cfg.Capacity.ByCost
	s.doors = []member.ID{cfg.Door}
	s.merge.Expect(s.doors)
	return s, nil
}

// Step takes an event in and says what is to be done. A door steps with Counted
// at the end of each tick; a tick of 50 ms makes a reflex of 100.
func (s *Shield) Step(now time.Time, ev Event) []Effect {
	switch ev := ev.(type) {
	case Counted:
		return s.counted(now, ev)
	case Heard:
		if ev.Report.Door == s.cfg.Door {
			return nil // our own word, come back
		}
		if err := s.accept(now, ev.Report); err != nil {
			return []Effect{Note{What: Refused, Text: err.Error(), Why: refusalOf(err)}}
		}
		return nil
	case Doors:
		s.apart = !slices.Contains(ev.Doors, s.cfg.Door)
		s.doors = append(slices.Clone(ev.Doors), s.cfg.Door) // its own traffic counts, whatever is thought of it
		slices.Sort(s.doors)
		s.doors = slices.Compact(s.doors)
		s.merge.Expect(s.doors)
		return nil
	case FloorsHeard:
		if err := s.believeFloors(ev.Floors); err != nil {
			return []Effect{Note{What: Refused, Text: err.Error(), Why: BadFloors}}
		}
		if ev.Floors.Newer(s.floors) {
			s.floors = &ev.Floors
		}
		return nil
	case Leads:
		s.leads = ev.Leading
		return nil
	case Ruled:
		s.ruled = ev.Standing.Clone()
		maps.DeleteFunc(s.seen, func(host string, _ sighting) bool { _, stands := s.ruled.By[host]; return !stands })
		return nil
	default:
		panic(fmt.Sprintf("shield: unknown event %T", ev))
	}
}

func (s *Shield) counted(now time.Time, ev Counted) []Effect {
	if s.began.IsZero() {
		s.began = now
	}
	s.recent.add(ev, s.calm())
	s.subdomains, s.trouble, s.handshakes = ev.Subdomains, ev.Trouble, ev.Handshakes
	for _, c := range ev.Counts {
		if c.Name != "" {
			s.names[c.Key] = c.Name
		}
	}
	s.forgetNames()
	report := s.report()
	if err := s.merge.Accept(now, report); err != nil {
		return []Effect{Note{What: Refused, Text: "of our own: " + err.Error(), Why: refusalOf(err)}}
	}
	s.fleet = s.merge.Fleet(now)
	if s.cfg.Capacity.ByCost {
		s.costs.see(now, &s.fleet)
	}
	s.stand(now)
	load := s.load()
	out := s.decide(now, load)
	every := s.cfg.SayEvery
	if s.pressed || s.shares.Pressure > s.cfg.Shares.Pressure {
		every = s.cfg.SayEveryPressed
	}
	if s.said.IsZero() || now.Sub(s.said) >= every-ev.Tick/2 || now.Before(s.said) || s.newsOfSurges() {
		s.said = now
		r := s.report()
		clear(s.surged)
		for _, x := range r.Surges {
			s.surged[x.Key] = x.Over
		}
		out = append(out, Say{Report: r})
	}
	if s.leads {
		out = append(out, s.lead(now)...)
	}
	return out
}

// calm reports that there is nothing from which it must not be learned what is usual.
func (s *Shield) calm() bool { return !s.pressed && !s.shares.Pressed && len(s.held) == 0 }

// decide shares out, climbs and makes the measures.
func (s *Shield) decide(now time.Time, l Load) []Effect {
	s.shares = FairShare(l, s.cfg.Shares)
	if s.ignorant(now) {
		s.shares.Limits = slices.DeleteFunc(s.shares.Limits, func(x Limit) bool { return x.Demand < s.cfg.Shares.Pressure*l.Capacity })
	}
	if len(s.fleet.Live) == s.fleet.Doors { // else nobody knows what was served
		s.capacity.Step(now, s.servedNow(), s.fleet.Trouble)
	}
	s.capacity.Adopt(s.fleet.Capacity)
	out := s.weather(now)
	if s.calm() {
		s.usuals.Learn(now, l)
		if s.cfg.Capacity.ByCost {
			s.costs.calm(now, s.cfg.UsualOver)
		}
	}
	s.held = s.ladder.Step(now, s.sight(l))
	s.votes = s.standingVotes()
	measures := s.measure(now)
	out = append(out, s.differences(s.measures, measures)...)
	if !same(s.measures, measures) {
		s.measures = measures
		out = append(out, Enforce{Measures: measures})
	}
	return out
}

// forgetNames keeps those of who is seen.
func (s *Shield) forgetNames() {
	if len(s.names) <= mostUsuals {
		return
	}
	keep := map[Key]bool{}
	for _, k := range s.Wanted() {
		keep[k] = true
	}
	for k := range s.names {
		if !keep[k] {
			delete(s.names, k)
		}
	}
}
