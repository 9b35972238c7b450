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
	said   map[ballot]time.Duration // when a door last said it
	parted map[int]time.Duration    // since when a door is severed from most doors, by its number
}

// stance is a subdomain on a rung.
type stance struct {
	host string
	rung shield.Rung
}

// ballot is a door's vote for a subdomain, with the highest rung that it is one for.
type ballot struct {
	door member.ID
	stance
}

// Doors learn of a fact a moment after it is agreed on, and of a partition when reports
// have been missing for a second.
const (
	stanceLag = 2 * time.Second
	partedLag = 3 * time.Second
	// A report counts for a second after it came, and may have been on its way for longer.
	ballotLag = 5 * time.Second
)

func newVoteBook() voteBook {
	return voteBook{stood: map[stance]time.Duration{}, said: map[ballot]time.Duration{}, parted: map[int]time.Duration{}}
}

// says books what a door tells the others.
func (b *voteBook) says(now time.Duration, r shield.Report) {
	for _, v := range r.Votes {
		b.said[ballot{r.Door, stance{v.Host, v.Rung}}] = now
	}
}

// voted reports that a door has said lately that it votes for a rung, or a higher one.
func (b *voteBook) voted(now time.Duration, door member.ID, host string, rung shield.Rung) bool {
	for ; rung <= shield.Drop; rung++ {
		if at, ok := b.said[ballot{door, stance{host, rung}}]; ok && now-at <= ballotLag {
			return true
		}
	}
	return false
}

// proposed checks that every door voted whose vote is in a proposal: by what that door
// said itself, not by what the proposer says of it. The proposer knows its own vote before
// it says it.
func (s *shieldStory) proposed(by member.ID, t shield.Throttle) {
	w := s.g.w
	w.checker.look(ruleShield)
	for _, door := range t.Doors {
		if door != by && !s.book.voted(w.now, door, t.Host, t.Rung) {
			w.checker.fail(ruleShield, "%s proposes %s to %v by the vote of %s, which has not voted so within %v", by, t.Host, t.Rung, door, ballotLag)
		}
	}
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
