package agent

import (
	"math"
	"math/bits"
	"time"

	"moonwatch/member"
)

// edge is what an observer remembers about one subject's agent.
type edge struct {
	Subject
	born        time.Time // when this edge began
	answered    bool      // ever
	lastAnswer  time.Time
	rtt         time.Duration // of that answer
	incarnation member.Incarnation
	lives       []time.Time // when new incarnations were first seen

	flying  []flight // probes without an answer yet, oldest first
	lostRun int
	goodRun int
	window  uint64 // the last regular probes, 1 = lost, newest in bit 0
	seen    int    // how many of them there are, at most the window's size
	outage  int    // how many of the newest ones were lost in a row
	probed  int    // regular probes in carried
	carried uint64 // as window, with the outages that are over left in

	nextReprobe time.Time // zero: none is due

	silence  bool
	loss     bool
	flapping bool

	roll  roll
	check check
	said  word
	told  struct{ agent, service bool } // accusations that the councillors have heard of
}

// flight is one probe that was sent and not yet answered.
type flight struct {
	seq     uint64
	sent    time.Time
	regular bool
}

// roll is this edge's part in a roll call: only probes sent after the call
// arrived count.
type roll struct {
	id      RollID
	since   time.Time
	ups     int
	downs   int // in a row
	agent   Stance
	service Stance
}

func (r *roll) open() bool { return !r.id.IsZero() && r.agent == Abstain }

// back takes an answer of silence back when the subject has answered so many probes
// since: it is not said again, and whoever has not heard it hears the new one.
func (r *roll) back(ups int) {
	if r.agent == Down {
		r.agent, r.downs, r.ups = Abstain, 0, ups
	}
}

func (e *edge) accused() bool { return e.silence || e.lossy() }

// lossy edges are accused of losing too much, or of outages that come again.
func (e *edge) lossy() bool { return e.loss || e.flapping }

// fresh reports that nothing has been heard over the edge yet and that it is
// too young for silence to mean anything.
func (e *edge) fresh(now time.Time, c *Config) bool {
	return !e.answered && now.Sub(e.born) < c.NewEdgeMax
}

// silentSince is the last sign of life, or the edge's birth.
func (e *edge) silentSince() time.Time {
	if e.answered {
		return e.lastAnswer
	}
	return e.born
}

// lossRate is the share of lost regular probes, 0 while there are none.
func (e *edge) lossRate() float64 {
	if e.seen == 0 {
		return 0
	}
	return float64(e.lost()) / float64(e.seen)
}

// recentLoss is the share of the newest probes that the edge lost while it carried
// any: an outage that goes on is left out, for it tells of the subject and not of
// the way there. So few are looked at that the first seconds in which nearly all is
// lost tell already, and so many that half a fleet that dies is an outage before it
// is half of them. It is false while the rest is too little to say anything. Outages
// that are over count, unlike in the loss rule: on an edge that loses nine of ten,
// chance looks like one outage after the other.
func (e *edge) recentLoss(c *Config) (float64, bool) {
	going := 0
	if e.outage >= c.OutageRun {
		going = e.outage
	}
	seen := min(c.LossWindow-going, c.DeafWindow)
	if e.probed < c.LossWindow || seen < c.OutageRun {
		return 0, false
	}
	recent := e.carried >> uint(going) & (1<<uint(seen) - 1)
	return float64(bits.OnesCount64(recent)) / float64(seen), true
}

// lossBefore is the share of regular probes that were lost before those that are
// being lost now, in a row: these tell of the subject and not of the way there. It
// is 0 while there are too few to say anything.
func (e *edge) lossBefore(c *Config) float64 {
	going := min(e.outage, e.seen)
	seen := e.seen - going
	if seen < c.OutageRun {
		return 0
	}
	return float64(bits.OnesCount64(e.window>>uint(going))) / float64(seen)
}

func (e *edge) lost() int { return bits.OnesCount64(e.window) }

func (e *edge) record(lost bool, c *Config) {
	e.window <<= 1
	e.carried <<= 1
	if lost {
		e.window |= 1
		e.carried |= 1
		e.outage++
	}
	e.window &= 1<<uint(c.LossWindow) - 1
	e.carried &= 1<<uint(c.LossWindow) - 1
	e.seen = min(e.seen+1, c.LossWindow)
	e.probed = min(e.probed+1, c.LossWindow)
}

// endOutage is called at the first answer after lost probes. A long run of them
// was an outage, which is silence and has been accused as such: counted as loss
// as well, it would accuse a member for ten seconds after its return.
func (e *edge) endOutage(c *Config) {
	if n := min(e.outage, e.seen); n >= c.OutageRun {
		e.window >>= uint(n)
		e.seen -= n
	}
	e.outage = 0
}

// land takes the flight of seq out of the air. A probe that was answered after
// it had been given up is not found: a late answer is a sign of life, and
// still a lost probe.
func (e *edge) land(seq uint64) (flight, bool) {
	for i, f := range e.flying {
		if f.seq == seq {
			e.flying = append(e.flying[:i], e.flying[i+1:]...)
			return f, true
		}
	}
	return flight{}, false
}

// runNeeded is the number of lost probes in a row that accuse at the median
// loss m.
func runNeeded(m float64, c *Config) int { return chanceRun(m, c.LostRunMin, c) }

// chanceRun is the length of a run of losses that chance alone produces with
// less than c.RunChance at the median loss m, at least least and at most
// c.LostRunMax.
func chanceRun(m float64, least int, c *Config) int {
	return min(max(runOf(m, c.RunChance), least), c.LostRunMax)
}

// runOf is the length at which a run of losses becomes rarer than chance, if
// each probe is lost with probability m.
func runOf(m, chance float64) int {
	switch {
	case m <= 0:
		return 1
	case m >= 1:
		return math.MaxInt
	default:
		return int(math.Ceil(math.Log(chance) / math.Log(m)))
	}
}

// weighSilence and weighLoss apply the two accusing rules of PROTOCOL 2; m is
// the median loss of the observer's own edges and run what runNeeded makes of it.
func (e *edge) weighSilence(now time.Time, run int, c *Config) {
	if e.silence || e.lostRun < run || e.fresh(now, c) {
		return
	}
	e.silence = now.Sub(e.silentSince()) >= c.Patience
}

func (e *edge) weighLoss(m float64, c *Config) {
	rate := e.lossRate()
	switch {
	case e.lossIsOver(c):
		e.loss = false
	case !e.loss:
		// The window must be full: two losses of the first three probes are
		// 67 % and mean nothing.
		e.loss = e.seen == c.LossWindow && e.lost() >= c.LossCount && rate >= m+c.LossAboveMedian
	case rate < m+c.LossClear:
		e.loss = false
	}
}

// lossIsOver reports that the newest regular probes were all answered: what the
// window still remembers has passed. A member that stood still again and again
// would else be accused until half a window after its last stall, and condemned
// when it has long been well. It hides no bad link: at 40 % loss chance alone gives
// such a run once in an hour, and the window is kept, so one more loss accuses anew.
func (e *edge) lossIsOver(c *Config) bool { return bits.TrailingZeros64(e.window) >= c.LossOver }

// life books an incarnation that an answer carried.
func (e *edge) life(now time.Time, inc member.Incarnation, c *Config) {
	if inc > e.incarnation {
		if e.incarnation != 0 {
			e.lives = append(e.lives, now)
		}
		e.incarnation = inc
	}
	for len(e.lives) > 0 && now.Sub(e.lives[0]) >= c.FlapWindow {
		e.lives = e.lives[1:]
	}
	e.flapping = len(e.lives) >= c.FlapCount
}

// word is what an observer says against one subject.
type word struct {
	agent   Reason // empty: nothing
	service bool
}

// word is what is to be said against the subject now.
func (e *edge) word() word {
	w := word{service: e.check.accused}
	if e.accused() {
		w.agent = e.reason()
	}
	return w
}

func (e *edge) reason() Reason {
	switch {
	case e.silence:
		return Silence
	case e.loss:
		return Loss
	default:
		return Flapping
	}
}

// check is what an observer remembers about one subject's service.
type check struct {
	next     time.Time // when to ask in calm; zero: never
	flying   uint64    // seq of the running check, 0: none
	sent     time.Time
	fails    int
	since    time.Time // when the first of them was sent
	accused  bool
	last     Checked
	lastGood bool
}
