package sim

import (
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/shield"
)

// voteBook is what the checker knows of rungs that are voted: the agreed story's word
// about subdomains, and which doors see most of the others.
type voteBook struct {
	stood  map[stance]time.Duration // when it was last true
	parted map[int]time.Duration    // since when a door is severed from most doors, by its number
}

// stance is a subdomain on a rung.
type stance struct {
	host string
	rung shield.Rung
}

// Doors learn of a fact a moment after it is agreed on, and of a partition when reports
// have been missing for a second.
const (
	stanceLag = 2 * time.Second
	partedLag = 3 * time.Second
)

func newVoteBook() voteBook {
	return voteBook{stood: map[stance]time.Duration{}, parted: map[int]time.Duration{}}
}

// letInWithin is how long it takes until who was stopped is let in as a whole.
const letInWithin = 30 * time.Second

// wasStopped reports that a subdomain is stopped, or was a moment ago.
func (b *voteBook) wasStopped(host string, now time.Duration) bool {
	for rung := shield.Stop; rung <= shield.Drop; rung++ {
		if at, ok := b.stood[stance{host, rung}]; ok && now-at < letInWithin {
			return true
		}
	}
	return false
}

// votes checks that no door challenges, stops or drops anybody but by a fact that stands,
// that such a fact has the votes of most doors, and that a door that most others are
// severed from does none of that.
func (s *shieldStory) votes(open []*shieldDoor) {
	w := s.g.w
	standing := w.checker.throttles.Standing()
	for _, t := range standing.At(w.time()) {
		s.book.stood[stance{t.Host, t.Rung}] = w.now
		w.checker.look(ruleShield)
		if doors := w.cfg.Fleet.Shield.Doors; t.By == "" && (2*len(t.Doors) <= len(t.All) ||
			slices.ContainsFunc(t.Doors, func(d member.ID) bool { return !slices.Contains(doors, d) })) {
			w.checker.fail(ruleShield, "%s is at %v by the votes of %v, and the doors are %v", t.Host, t.Rung, t.Doors, t.All)
		}
	}
	for _, d := range open {
		seen := 0
		for _, x := range open {
			if x == d || !w.severed(d.m.i, x.m.i) && !w.severed(x.m.i, d.m.i) {
				seen++
			}
		}
		if since, known := s.book.parted[d.i]; 2*seen > len(s.g.doors) {
			delete(s.book.parted, d.i)
		} else if !known {
			s.book.parted[d.i] = w.now
		} else if w.now-since > partedLag {
			s.alone(d)
		}
		for _, m := range d.acting.List() {
			if at, ok := s.book.stood[stance{m.Host, m.Rung}]; m.Rung.Voted() && d.m.time().Before(m.Until) {
				w.checker.look(ruleShield)
				if !ok || w.now-at > stanceLag {
					w.checker.fail(ruleShield, "%s has %s at %v, and no fact of the last %v says so", d.m.id, m.Host, m.Rung, stanceLag)
				}
			}
		}
	}
}

// alone looks at what a door does that has been severed from most others for a while.
func (s *shieldStory) alone(d *shieldDoor) {
	for _, m := range d.acting.List() {
		s.g.w.checker.look(ruleShield)
		if m.Rung > shield.ShapeLocal && m.By == "" && d.m.time().Before(m.Until) {
			s.g.w.checker.fail(ruleShield, "%s is severed from most doors, and has %s at %v", d.m.id, m.Host, m.Rung)
		}
	}
}
