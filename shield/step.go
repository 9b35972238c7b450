package shield

import (
	"fmt"
	"maps"
	"math"
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

// accept takes the report of another door in.
func (s *Shield) accept(now time.Time, r Report) error {
	if mark := MarkOf(s.cfg.Salt); r.Mark != mark {
		return fmt.Errorf("report %d of %s: %w (%08x, this door's is %08x)", r.Seq, r.Door, ErrOtherSalt, r.Mark, mark)
	}
	if err := s.merge.Accept(now, r); err != nil {
		return err
	}
	if r.Floors < mostFloors {
		s.floorsHeard = max(s.floorsHeard, r.Floors)
	}
	return nil
}

// mostFloors is a version that no fleet comes to: what claims to be younger is not
// followed, or there would be none after it.
const mostFloors = 1 << 48

// believeFloors refuses floors of who is no door, and those that no leader makes.
func (s *Shield) believeFloors(f Floors) error {
	if !slices.Contains(s.doors, f.By) {
		return fmt.Errorf("floors %d of %s: %w", f.Version, f.By, ErrUnknownDoor)
	}
	return f.Validate(s.cfg.Floors)
}

// Wanted names the subdomains whose counts the next Counted has to bring,
// whether they are hot or not.
func (s *Shield) Wanted() []Key {
	out := s.fleet.Candidates()
	for _, h := range s.held {
		out = append(out, h.Key)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// LearnAtMost is how many hosts may become known in the next tick: as many as
// come in calm, few under pressure, when random names are made up.
func (s *Shield) LearnAtMost() int {
	if s.pressed {
		return 10
	}
	return 10_000
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

// newsOfSurges reports that a subdomain began to surge, or has done so for half as long
// again as was said last: then as much more is known about how much it asks for. The other
// doors wait for that, and not for this door's turn.
func (s *Shield) newsOfSurges() bool {
	return slices.ContainsFunc(s.recent.surges(), func(x Surge) bool { return 2*x.Over >= 3*s.surged[x.Key] })
}

// stand works out what of the ledger's throttles stands now. Those that the doors have
// voted for bind no door that hears no majority of them: it cannot hear that they are
// released, and a minority does no more than shape alone. A door that has just begun has
// heard nobody yet, and is no minority for that. One that hears most doors again has not
// heard yet what was written down meanwhile, and waits for that. What people pinned binds all. Both
// stand no higher than the rules of now allow, whatever they were when the fact was
// written down, and no longer by this door's clock than they may last.
func (s *Shield) stand(now time.Time) {
	if !s.fleet.Majority() && now.Sub(s.began) > s.cfg.Merge.LiveFor {
		s.parted = now
	}
	minority := !s.parted.IsZero() && now.Sub(s.parted) < catchUp && !now.Before(s.parted)
	s.standing = s.standing[:0]
	for _, t := range s.ruled.At(now) {
		key, ok := KeyOfHost(s.cfg.Salt, t.Host)
		t.Until = s.endOf(now, t)
		if !ok || t.By == "" && minority || !t.Until.After(now) {
			continue
		}
		if t, ok = s.cfg.Throttle.capped(t); !ok {
			continue
		}
		t.Key = key
		s.standing = append(s.standing, t)
		if s.names[key] == "" {
			s.names[key] = t.Host
		}
	}
}

// catchUp is how long the ledger of a door that was cut off is given to hear what it missed.
const catchUp = 2 * time.Second

// sighting is when this door first saw a throttle as it stands.
type sighting struct {
	rung  Rung
	by    string
	until time.Time
	at    time.Time
}

// endOf is when a throttle ends here. Its end is a time of the ledger, and this door's
// clock may be an hour behind: with no council there to release it or to let it end, it
// would stand for that hour. So it also ends when it has been seen here, unrenewed, for as
// long as it may last.
func (s *Shield) endOf(now time.Time, t Throttle) time.Time {
	x := s.seen[t.Host]
	if x.rung != t.Rung || x.by != t.By || !x.until.Equal(t.Until) {
		x = sighting{rung: t.Rung, by: t.By, until: t.Until, at: now}
		s.seen[t.Host] = x
	}
	lasts := s.cfg.Throttle.For
	if t.By != "" {
		lasts = t.Until.Sub(t.Since)
	}
	if here := x.at.Add(lasts); here.Before(t.Until) {
		return here
	}
	return t.Until
}

// report is what this door would say now. What changes in it has a new sequence.
func (s *Shield) report() Report {
	s.seq++
	total, lines := s.recent.traffic(s.Wanted())
	r := Report{
		Door: s.cfg.Door, Life: s.cfg.Life, Mark: MarkOf(s.cfg.Salt), Seq: s.seq, Window: s.recent.window(),
		Total: total, Served: s.recent.served(), Capacity: Units(s.capacity.Value()), Trouble: s.trouble, Subdomains: s.subdomains,
		Lines: lines[:min(len(lines), MaxLines)], Votes: s.votes, Surges: s.recent.surges(),
	}
	if s.floors != nil {
		r.Floors = s.floors.Version
	}
	return r
}

// load is what the fleet is asked for, in its unit.
func (s *Shield) load() Load {
	f := &s.fleet
	each := s.each()
	capacity := s.capacity.Value()
	if len(f.Live) < f.Doors {
		capacity = s.ours(capacity)
	}
	floors := s.floors
	if floors == nil && capacity > 0 { // none were published, for nobody knew the capacity; all doors know what is usual
		floors = s.newFloors()
	}
	scale := 1.0
	if floors != nil && floors.Capacity > capacity {
		scale = capacity / floors.Capacity
	}
	l := Load{Capacity: capacity, Rest: f.Asked * each, Usual: s.usuals.rest.value}
	variance := f.Spread * f.Spread * each * each // of the whole; few dear requests vary by more than many cheap ones
	for _, x := range f.Hosts {
		own := s.costOf(x.Key)
		d := Demand{
			Key: x.Key, Rate: x.Asked * own, Usual: s.usuals.Of(x.Key), Floor: floors.Of(x.Key) * scale, Weight: s.cfg.Weights[x.Key],
			Spread: x.Spread * own, Surges: x.Surges, Doubt: x.Doubt * own,
		}
		variance += d.Spread*d.Spread - x.Spread*x.Spread*each*each
		l.Demands = append(l.Demands, d)
		l.Rest -= x.Asked * each
	}
	l.Rest = max(l.Rest, 0)
	l.Spread = math.Sqrt(max(variance, 0))
	return l
}

// ownOf is what a request of a subdomain is of the unit where subdomains differ, and else 0.
func (s *Shield) ownOf(k Key) float64 {
	if !s.cfg.Capacity.ByCost {
		return 0
	}
	return s.costs.of(k)
}

// ours is what is left for the doors that are heard: the others are there for
// all we know, and let in what is theirs. Most doors together do not leave them
// so much that what is usual finds no room: they may as well be gone, and their
// clients here.
func (s *Shield) ours(capacity float64) float64 {
	part := capacity * float64(len(s.fleet.Live)) / float64(s.fleet.Doors)
	if !s.fleet.Majority() {
		return part
	}
	return min(capacity, max(part, s.cfg.Shares.CommonGrowth*s.usuals.Sum()/s.cfg.Shares.Pressure))
}

// each is what a request is of the unit, as a mean.
func (s *Shield) each() float64 {
	if !s.cfg.Capacity.ByCost {
		return 1
	}
	return s.costs.mean()
}

// costOf is what a request of a subdomain is of the unit.
func (s *Shield) costOf(k Key) float64 {
	if !s.cfg.Capacity.ByCost {
		return 1
	}
	return s.costs.of(k)
}

// servedNow is what was served well, a second, of the unit.
func (s *Shield) servedNow() float64 {
	if !s.cfg.Capacity.ByCost {
		return s.fleet.Served
	}
	f := &s.fleet
	return max(0, f.Cost-s.costs.waiting*f.Costed) + max(0, f.Admitted-f.Costed)*s.each()
}

// Costless reports that no door tells what requests cost, and the capacity is one of time:
// nobody can be held.
func (s *Shield) Costless() bool {
	return s.cfg.Capacity.ByCost && s.fleet.Admitted > 0 && s.costs.mean() == 0
}

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

// ignorant reports that this door has just begun, and that there are floors which it has not
// heard yet: nobody has a guarantee here until then, so only who asks for everything is held.
func (s *Shield) ignorant(now time.Time) bool {
	return s.floors == nil && s.floorsHeard > 0 && now.Sub(s.began) < 2*floorsAgain
}

func (s *Shield) sight(l Load) Sight {
	v := Sight{
		Shares: s.shares, Majority: s.fleet.Majority(), Handshakes: s.handshakes, NeverStop: s.cfg.NeverStop,
		Demand: make(map[Key]float64, len(l.Demands)), Chance: make(map[Key]float64, len(l.Demands)), Evidence: make(map[Key][]member.ID, len(l.Demands)), Standing: map[Key]Rung{},
	}
	for _, d := range l.Demands {
		v.Demand[d.Key] = d.Rate
		v.Chance[d.Key] = s.cfg.Shares.chance(d)
	}
	for _, x := range s.fleet.Hosts {
		v.Evidence[x.Key] = x.Doors
	}
	for _, t := range s.standing {
		v.Standing[t.Key] = t.Rung
	}
	return v
}

// weather notes when pressure and overload begin and end. Pressure is over when
// it has been below the line for a while, so that a report more or less does not
// make news.
func (s *Shield) weather(now time.Time) []Effect {
	var out []Effect
	text := fmt.Sprintf("demand is %.0f %% of the capacity of %.0f", 100*s.shares.Pressure, s.cfg.Capacity.InUnit(s.capacity.Value()))
	switch above := s.shares.Pressure > s.cfg.Shares.Pressure; {
	case s.shares.Pressed && !s.pressed:
		s.pressed, s.relaxed = true, time.Time{}
		out = append(out, Note{What: PressureBegan, Text: text})
	case above:
		s.relaxed = time.Time{}
	case s.pressed && s.relaxed.IsZero():
		s.relaxed = now
	case s.pressed && now.Sub(s.relaxed) >= time.Second:
		s.pressed = false
		out = append(out, Note{What: PressureEnded, Text: text})
	}
	if !s.shares.Overload {
		s.blameless = time.Time{}
	} else if s.blameless.IsZero() || now.Before(s.blameless) {
		s.blameless = now
	}
	if s.shares.Overload && !s.overloaded && now.Sub(s.blameless) >= s.cfg.Window { // the end of a flood looks like one until the window has forgotten it
		s.overloaded = true
		out = append(out, Note{What: OverloadBegan, Text: text + ", and nobody in particular is to blame"})
	}
	if s.overloaded && !s.pressed {
		s.overloaded = false
		out = append(out, Note{What: OverloadEnded, Text: text})
	}
	return out
}

func (s *Shield) standingVotes() []Vote {
	var out []Vote
	for _, h := range s.held {
		if h.Vote.Voted() && !s.cfg.Shadow {
			out = append(out, Vote{Key: h.Key, Rung: h.Vote, Host: s.names[h.Key]})
		}
	}
	slices.SortStableFunc(out, func(a, b Vote) int { return int(b.Rung) - int(a.Rung) })
	return out[:min(len(out), MaxVotes)]
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

// Fleet is what all doors see, as of the last step.
func (s *Shield) Fleet() Fleet { return s.fleet }

// Shares are those of the last step.
func (s *Shield) Shares() Shares { return s.shares }

// Capacity in units a second, 0 while it is not known.
func (s *Shield) Capacity() float64 { return s.capacity.Value() }

// Floors that are in force here; nil: none were published yet.
func (s *Shield) Floors() *Floors { return s.floors }

// Overloaded reports that the fleet is asked for too much by everybody. The door
// then sheds the newest requests beyond what it bears, whoever they are for.
func (s *Shield) Overloaded() bool { return s.overloaded }

// Votes are this door's standing ones.
func (s *Shield) Votes() []Vote { return s.votes }

// Measures that are in force here.
func (s *Shield) Measures() *Measures { return s.measures }
