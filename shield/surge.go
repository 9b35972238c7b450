package shield

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// SurgeRules are the numbers by which a door sees that one subdomain alone grows at once:
// the reflex beside the window, over which everything else is measured.
type SurgeRules struct {
	// Over is the shortest stretch of time that shows a surge. Shorter: what waited
	// somewhere, and comes all at once, is taken for one. 90 ms: four ticks of 25 ms, of
	// which a clock makes a little less.
	Over time.Duration
	// Most is the longest that does. A flood of which a door has little is told from chance
	// by a longer one. 180 ms, of which ticks make 200: half of a window, and what was
	// before is in the other half.
	Most time.Duration
	// Times is by how much a subdomain has to have grown, against what it usually asks
	// for and against what the others ask for now. Where everybody grows nobody surges, as
	// after a moment in which a machine stood still.
	Times float64
	// Odds is the natural logarithm of the odds against its being chance. 14: one in a
	// million for one stretch of requests that come independently. A door looks at forty
	// ticks of fifty subdomains a second and tries up to six stretches at each, of 75 to
	// 200 ms, which have most of their requests in common. Loads of pages do not come
	// independently, and surge by themselves now and then; who surges by chance is held
	// only if there is too much as well.
	Odds float64
	// FloodOdds are those by which seven tenths of Over are enough, if every tick has its
	// part. 42: a flood that would fill any queue by then.
	FloodOdds float64
	// Lasts is the same for the lighter half of the stretch. 4: one in fifty.
	Lasts float64
	// Known is for how long what is usual has to have been learned.
	Known time.Duration
	// Least is what each subdomain is taken to ask for usually, requests a second, and
	// LeastPart the same of all requests: less is not counted one by one.
	Least, LeastPart float64
}

// DefaultSurgeRules sees a surge after 75 to 200 ms, the sooner the more it shows.
func DefaultSurgeRules() SurgeRules {
	return SurgeRules{Over: 90 * time.Millisecond, Most: 180 * time.Millisecond, Times: 3, Odds: 14, FloodOdds: 42, Lasts: 4, Known: 5 * time.Second, Least: 1, LeastPart: 1.0 / 256}
}

// Surge is what a subdomain was asked for at a door since it began to surge, which is
// less than a window ago: an average over the whole window would be about neither before
// nor after.
type Surge struct {
	Key   Key
	Over  time.Duration
	Asked uint64
}

// MaxSurges bounds those of a report. More at once is growth of many, for which the
// window is soon enough.
const MaxSurges = 4

// surges learns what is usual at one door, and notices who surges.
type surges struct {
	rules SurgeRules
	over  time.Duration // how fast what is usual is forgotten

	clock time.Time // the sum of all ticks
	all   average
	usual map[Key]average
	older tick // ticks that have left the window and are not learned yet
	begun map[Key]time.Time
}

func newSurges(rules SurgeRules, over time.Duration) surges {
	return surges{rules: rules, over: over, clock: time.Unix(0, 0), usual: map[Key]average{}, begun: map[Key]time.Time{}}
}

// learnEvery is how much time is learned from at once.
const learnEvery = 250 * time.Millisecond

// learn takes in a tick that has left the window. What the shield does not call calm by
// then was no calm when it was counted, perhaps, and is forgotten.
func (s *surges) learn(t tick, calm bool) {
	if !calm {
		s.older = tick{}
		return
	}
	if s.older.traffic == nil {
		s.older.traffic = map[Key]Traffic{}
	}
	s.older.length += t.length
	s.older.asked += t.asked
	for k, x := range t.traffic {
		sum := s.older.traffic[k]
		sum.Lately += x.Lately
		s.older.traffic[k] = sum
	}
	if s.older.length < learnEvery {
		return
	}
	for k, x := range s.older.traffic {
		if _, known := s.usual[k]; !known && x.Lately > 0 {
			s.usual[k] = average{since: s.all.since, last: s.all.last} // nothing until now
		}
	}
	seconds := s.older.length.Seconds()
	s.all.learn(s.clock, float64(s.older.asked)/seconds, s.over)
	crowded := len(s.usual) > mostUsuals // asked once: what is forgotten does not hang on the map's order
	for k, a := range s.usual {
		if a.learn(s.clock, float64(s.older.traffic[k].Lately)/seconds, s.over); a.value < 1e-3 || crowded && a.value < s.rules.Least {
			delete(s.usual, k)
			continue
		}
		s.usual[k] = a
	}
	s.older = tick{}
}

// look ends those that are as old as the window, and finds those that begin with its
// last ticks.
func (s *surges) look(ticks []tick, window time.Duration) {
	for k, at := range s.begun {
		if s.clock.Sub(at) >= window {
			delete(s.begun, k)
		}
	}
	if s.all.since.IsZero() || s.clock.Sub(s.all.since) < s.rules.Known {
		return
	}
	for k, x := range ticks[len(ticks)-1].traffic {
		if _, on := s.begun[k]; on || x.Lately == 0 {
			continue
		}
		if stretch := s.stretchOf(ticks, k); stretch > 0 {
			s.begun[k] = s.clock.Add(-stretch)
		}
	}
}

// stretchOf is the shortest stretch of the last ticks that shows that a subdomain surges, 0
// if none does.
func (s *surges) stretchOf(ticks []tick, k Key) (stretch time.Duration) {
	usual := max(s.usual[k].value, s.rules.Least, s.rules.LeastPart*s.all.value)
	var n, all uint64
	for first := len(ticks) - 1; first >= 0 && stretch < s.rules.Most; first-- {
		stretch += ticks[first].length
		n += ticks[first].traffic[k].Lately
		all += ticks[first].asked
		lately := ticks[first:]
		if n < 3 || len(lately) < 2 { // one tick alone may be what waited somewhere
			continue
		}
		odds, spread := s.rules.Odds, s.lasts
		if stretch < s.rules.Over {
			if odds, spread = s.rules.FloodOdds, s.everyTick; stretch < s.rules.Over*7/10 {
				continue
			}
		}
		if s.odds(usual, n, all-min(n, all), stretch) < odds {
			continue
		}
		if s.odds(max(usual, s.before(ticks, k)), n, all-min(n, all), stretch) >= odds && spread(usual, lately, k) {
			return stretch
		}
	}
	return 0
}

// before is what was asked for before any stretch that shows a surge, chance apart: who grew
// then surges no more.
func (s *surges) before(ticks []tick, k Key) float64 {
	var later time.Duration
	for later < s.rules.Most && len(ticks) > 0 {
		later += ticks[len(ticks)-1].length
		ticks = ticks[:len(ticks)-1]
	}
	if len(ticks) == 0 {
		return 0
	}
	n := float64(askedFor(ticks, k))
	return (n - 2*math.Sqrt(n)) / lengthOf(ticks).Seconds()
}

// odds is the logarithm of the odds against n requests in a stretch, by what is usual and
// beside the others' requests.
func (s *surges) odds(usual float64, n, others uint64, stretch time.Duration) float64 {
	alone := s.rules.Times * usual * stretch.Seconds()
	beside := s.rules.Times * float64(others+1) * usual / max(s.all.value-usual, usual)
	return oddsAgainst(n, max(alone, beside))
}

// everyTick reports that it surges in each of them.
func (s *surges) everyTick(usual float64, lately []tick, k Key) bool {
	return !slices.ContainsFunc(lately, func(t tick) bool {
		return oddsAgainst(t.traffic[k].Lately, s.rules.Times*usual*t.length.Seconds()) < s.rules.Lasts
	})
}

// lasts reports that it surges also without its heaviest ticks, up to half of the stretch:
// what waited somewhere comes in one or two.
func (s *surges) lasts(usual float64, lately []tick, k Key) bool {
	ticks := slices.Clone(lately)
	slices.SortFunc(ticks, func(a, b tick) int { return cmp.Compare(a.traffic[k].Lately, b.traffic[k].Lately) })
	rest := ticks[:(len(ticks)+1)/2]
	return oddsAgainst(askedFor(rest, k), s.rules.Times*usual*lengthOf(rest).Seconds()) >= s.rules.Lasts
}

// of lists what surges, the most asked for first.
func (s *surges) of(ticks []tick) []Surge {
	var out []Surge
	for k, at := range s.begun {
		x := Surge{Key: k}
		for i := len(ticks) - 1; i >= 0 && x.Over < s.clock.Sub(at); i-- {
			x.Over += ticks[i].length
			x.Asked += ticks[i].traffic[k].Lately
		}
		if x.Asked > 0 {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Surge) int { return cmp.Or(cmp.Compare(b.Asked, a.Asked), cmp.Compare(a.Key, b.Key)) })
	return out[:min(len(out), MaxSurges)]
}

// oddsAgainst is the logarithm of the odds against at least n where the mean is so much:
// Chernoff's bound for what comes independently.
func oddsAgainst(n uint64, mean float64) float64 {
	x := float64(n)
	if x <= mean || mean <= 0 {
		return 0
	}
	return x*math.Log(x/mean) - x + mean
}

func askedFor(ticks []tick, k Key) (n uint64) {
	for _, t := range ticks {
		n += t.traffic[k].Lately
	}
	return n
}

func lengthOf(ticks []tick) (sum time.Duration) {
	for _, t := range ticks {
		sum += t.length
	}
	return sum
}
