package failover

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Mode is how much the brake allows (PROTOCOL 7).
type Mode string

// The modes that the ledger knows. isolated is what an agent finds out for
// itself when it sees no council quorum.
const (
	Normal   Mode = "normal"
	Guarded  Mode = "guarded"
	Cascade  Mode = "cascade"
	Isolated Mode = "isolated"
)

// Rank orders the modes from free to bound.
func (m Mode) Rank() int {
	switch m {
	case Guarded:
		return 1
	case Cascade:
		return 2
	case Isolated:
		return 3
	case Normal:
	}
	return 0
}

// Scope is what a brake binds: the fleet, one failure domain or one pool.
type Scope string

// Fleet is the scope of the whole fleet.
const Fleet Scope = "fleet"

// InDomain is the scope of one failure domain.
func InDomain(d member.FailureDomain) Scope { return Scope("domain:" + string(d)) }

// InPool is the scope of one pool.
func InPool(p string) Scope { return Scope("pool:" + p) }

// Brakes is the brake as the council's leader last committed it: a fact is
// written when a mode changes, with the reason for it.
type Brakes struct {
	Modes map[Scope]ScopeMode `json:"modes,omitempty"` // without an entry: normal
	Weighing
	Over   Weighing `json:"over,omitzero"` // the brake that stood then
	Fallen *Fallen  `json:"fallen,omitempty"`
}

// Weighing names a proposal of the brake. What a leader proposed may be agreed after
// somebody else has weighed anew, and a brake that says everything about all scopes
// would undo what it has never seen: so each names the one that it was weighed over,
// and stands only if that one still does.
type Weighing struct {
	Term uint64 `json:"term,omitempty"` // of the leader
	Turn uint64 `json:"turn,omitempty"` // which of its proposals it is
}

// ScopeMode is the mode of one scope and why it holds.
type ScopeMode struct {
	Mode  Mode        `json:"mode"`
	Since time.Time   `json:"since"`
	Open  []member.ID `json:"open,omitempty"` // when the mode was entered
	Why   string      `json:"why"`
	Ends  string      `json:"ends"` // what has to happen
}

// Mode is the fleet's mode.
func (b Brakes) Mode() Mode { return b.In(Fleet).Mode }

// In is one scope's mode.
func (b Brakes) In(s Scope) ScopeMode {
	if m, ok := b.Modes[s]; ok {
		return m
	}
	return ScopeMode{Mode: Normal}
}

// Worst is the most binding mode of some scopes.
func (b Brakes) Worst(scopes ...Scope) (Scope, ScopeMode) {
	worst, at := b.In(scopes[0]), scopes[0]
	for _, s := range scopes[1:] {
		if m := b.In(s); m.Mode.Rank() > worst.Mode.Rank() {
			worst, at = m, s
		}
	}
	return at, worst
}

// levels are the counts of open subjects at which modes begin, for n members.
type levels struct{ guarded, cascade int }

// levelsOf applies PROTOCOL 7's formula; thresholds round up.
func levelsOf(p member.BrakePolicy, n int) levels {
	g, c := p.Guarded, p.Cascade
	if g == (member.Threshold{}) {
		g = member.Threshold{Min: 2, Share: 0.05}
	}
	if c == (member.Threshold{}) {
		c = member.Threshold{Min: 3, Share: 0.20}
	}
	cascade := max(2, min(max(c.Min, ceil(c.Share, n)), (n+1)/2))
	return levels{guarded: min(max(g.Min, ceil(g.Share, n)), cascade), cascade: cascade}
}

// ceil is share x n, rounded up. The small term keeps 0.2 x 15 at 3.
func ceil(share float64, n int) int {
	x := share * float64(n)
	i := int(x)
	if float64(i) < x-1e-9 {
		i++
	}
	return i
}

// Brake watches open subjects on the council's leader and says when a mode has
// to change. It remembers what the ledger does not: since when a scope has
// been calm. A new leader's memory starts empty, so a mode can only last
// longer than it should, never end too soon.
type Brake struct {
	st     *State
	opened map[member.ID]time.Time // last seen open
	calm   map[Scope]time.Time     // below half of its entry since
	counts []scope                 // what is counted, of
	fleet  uint64                  // this fact's fleet

	vigil   *vigil // over one failure domain that is lost, nil for none
	askedAt time.Time
}

// NewBrake makes the brake of a new leadership.
func NewBrake(st *State) *Brake {
	return &Brake{st: st, opened: map[member.ID]time.Time{}, calm: map[Scope]time.Time{}}
}

// Weigh takes the members in trouble that no verdict covers yet, and returns
// the brake as it should be and whether that is news.
func (b *Brake) Weigh(now time.Time, accused []member.ID) (Brakes, bool) {
	open := b.open(now, accused)
	old := b.st.Brake()
	next := Brakes{Modes: map[Scope]ScopeMode{}, Over: old.Weighing}
	b.watch(now, open, old)
	if len(open) > 0 && old.Fallen.covers(open) {
		next.Fallen = old.Fallen
	}
	fall, obstacle := b.fall(now)
	changed := next.Fallen != old.Fallen
	inCascade := 0
	if at := b.st.ledger.FleetIndex(); b.counts == nil || at != b.fleet {
		b.counts, b.fleet = b.scopes(), at
	}
	for _, sc := range b.counts {
		m := b.weighScope(now, sc, open, old.In(sc.scope), next.Fallen != nil)
		if sc.domain && m.Mode == Cascade {
			inCascade++
		}
		if m.Mode != Normal && b.vigil.ripe(now, b.st.timing()) {
			m.Ends = b.ends(m.Mode, sc)
			if obstacle != "" {
				m.Ends += forPeople + obstacle
			}
		}
		if was := old.In(sc.scope); m.Mode != was.Mode || m.Why != was.Why || m.Ends != was.Ends {
			changed = true
		}
		if m.Mode != Normal {
			next.Modes[sc.scope] = m
		}
	}
	if inCascade >= 2 && next.In(Fleet).Mode != Cascade {
		// Half of one failure domain is that domain's trouble; of two, it is
		// everybody's.
		next.Modes[Fleet] = ScopeMode{
			Mode: Cascade, Since: now, Open: open,
			Why: "two failure domains are in cascade", Ends: "one of them leaves cascade",
		}
		changed = changed || old.Mode() != Cascade
	}
	if fall != nil {
		b.lower(now, &next, fall, open)
		changed = true
	}
	return next, changed
}

type scope struct {
	scope   Scope
	members []member.ID // sorted, as the roster is
	levels  levels
	domain  bool
	small   bool // too few members for half of them to mean anything: only a fall guards it
}

// scopes lists what is counted, in a fixed order.
func (b *Brake) scopes() []scope {
	l := b.st.ledger
	var policy member.BrakePolicy
	if f := l.Fleet(); f != nil {
		policy = f.Brake
	}
	all := scope{scope: Fleet, levels: levelsOf(policy, l.Roster().Len())}
	by := map[Scope]*scope{}
	for _, m := range l.Roster().Members {
		all.members = append(all.members, m.ID)
		for _, s := range []Scope{InDomain(m.Domain), InPool(b.st.PoolOf(m.ID))} {
			if s == InPool("") {
				continue
			}
			if by[s] == nil {
				by[s] = &scope{scope: s, domain: strings.HasPrefix(string(s), "domain:")}
			}
			by[s].members = append(by[s].members, m.ID)
		}
	}
	out := []scope{all}
	for _, s := range slices.SortedFunc(maps.Values(by), func(a, b *scope) int { return cmp.Compare(a.scope, b.scope) }) {
		n := len(s.members)
		s.levels = levelsOf(policy, n)
		if s.domain {
			if n < 2 {
				continue
			}
			s.small = n < 3
			s.levels = levels{guarded: (n + 1) / 2, cascade: (n + 1) / 2}
		}
		out = append(out, *s)
	}
	return out
}

// open adds what is condemned and not settled, and what was open within the
// last minute.
func (b *Brake) open(now time.Time, accused []member.ID) []member.ID {
	for _, id := range accused {
		if !b.st.Attended(now, id) {
			b.opened[id] = now
		}
	}
	for _, id := range b.st.Unsettled(now) {
		b.opened[id] = now
	}
	memory := b.st.timing().OpenMemory
	maps.DeleteFunc(b.opened, func(_ member.ID, t time.Time) bool { return now.Sub(t) > memory })
	return slices.Sorted(maps.Keys(b.opened))
}

// weighScope moves one scope's mode: up at once, down after a calm while and
// one step at a time.
// Those that have fallen hold up nobody, and are handled with care.
func (b *Brake) weighScope(now time.Time, sc scope, open []member.ID, old ScopeMode, fallen bool) ScopeMode {
	var mine []member.ID
	for _, id := range open {
		if _, in := slices.BinarySearch(sc.members, id); in {
			mine = append(mine, id)
		}
	}
	n := len(mine)
	enter := Normal
	switch {
	case sc.small:
	case n >= sc.levels.cascade && fallen:
		enter = Guarded
	case n >= sc.levels.cascade:
		enter = Cascade
	case n >= sc.levels.guarded:
		enter = Guarded
	}
	why := fmt.Sprintf("%d of %d members in trouble: guarded from %d, cascade from %d", n, len(sc.members), sc.levels.guarded, sc.levels.cascade)
	died := sc.scope == Fleet && b.st.replacementsDied(now) >= 2
	if died && enter != Cascade {
		enter, why = Cascade, diedSoon
	}
	if enter.Rank() > old.Mode.Rank() {
		delete(b.calm, sc.scope)
		m := ScopeMode{Mode: enter, Since: now, Open: mine, Why: why, Ends: b.ends(enter, sc)}
		if died {
			m.Ends = b.endsAfterDeaths(sc)
		}
		return m
	}
	if old.Mode == Normal {
		return old
	}
	over := b.below(old.Mode, sc, mine)
	if !over || died {
		delete(b.calm, sc.scope)
		return b.goesOn(old, sc, why, died, over)
	}
	since, ok := b.calm[sc.scope]
	if !ok {
		b.calm[sc.scope] = now
	}
	if !ok || now.Sub(since) < b.clear(old.Mode) {
		return b.goesOn(old, sc, why, died, over)
	}
	delete(b.calm, sc.scope)
	if old.Mode == Cascade && !sc.domain {
		return ScopeMode{Mode: Guarded, Since: now, Open: mine, Why: "cascade has calmed down", Ends: b.ends(Guarded, sc)}
	}
	return ScopeMode{Mode: Normal}
}

// below says when a mode may begin to end: guarded when less than half of its
// entry (rounded down) is open, cascade when less than half is. One alone keeps no
// cascade where all others are well: while it lasts nobody replaces the one, and until
// somebody does it stays in trouble (docs/adr/035).
func (b *Brake) below(m Mode, sc scope, mine []member.ID) bool {
	n := len(mine)
	if m == Guarded {
		return n < max(1, sc.levels.guarded/2)
	}
	return 2*n < sc.levels.cascade || n == 1 && b.alone(sc, mine[0])
}

// alone says that nobody else of a scope stands under a verdict, settled or not.
func (b *Brake) alone(sc scope, one member.ID) bool {
	return !slices.ContainsFunc(b.st.ledger.Condemned(), func(id member.ID) bool {
		_, in := slices.BinarySearch(sc.members, id)
		return in && id != one
	})
}

func (b *Brake) clear(m Mode) time.Duration {
	if m == Guarded {
		return b.st.timing().GuardedClear
	}
	return b.st.timing().CascadeClear
}

// goesOn is a mode that holds on, and may do so for another reason than it began with:
// replacements that died hold a cascade whose trouble is over.
func (b *Brake) goesOn(m ScopeMode, sc scope, why string, died, over bool) ScopeMode {
	deaths := b.endsAfterDeaths(sc)
	switch {
	case died && over:
		m.Why, m.Ends = diedSoon, deaths
	case died:
		m.Ends = deaths
	case m.Why == diedSoon, m.Ends == deaths:
		m.Why, m.Ends = why, b.ends(m.Mode, sc)
	}
	return m
}

// diedSoon is why a fleet is in cascade in which replacements are no remedy.
const diedSoon = "two replacements died soon after they went live"

// endsAfterDeaths says what has to happen when the brake goes by such deaths.
func (b *Brake) endsAfterDeaths(sc scope) string {
	return fmt.Sprintf("%s, once fewer than two replacements have died within %v", b.ends(Cascade, sc), b.st.timing().DeadReplaced)
}

func (b *Brake) ends(m Mode, sc scope) string {
	below, l := (sc.levels.cascade+1)/2, sc.levels
	if m == Guarded {
		below = max(1, l.guarded/2)
	}
	text := fmt.Sprintf("fewer than %d in trouble for %v", below, b.clear(m))
	switch {
	case below == 1 && m == Cascade:
		text = fmt.Sprintf("nobody in trouble, or one alone and nobody else condemned, for %v", b.clear(m))
	case below == 1:
		text = fmt.Sprintf("nobody in trouble for %v", b.clear(m))
	}
	if m == Cascade && sc.domain {
		text += ", or the rest of the fleet clean and no change for as long"
	}
	return text
}

// Unsettled lists the members under a verdict whose trouble is not settled:
// their slot's case is closed, or they hold no slot and are set aside, or people
// have put them under a hold.
func (st *State) Unsettled(now time.Time) []member.ID {
	var out []member.ID
	for _, id := range st.ledger.Condemned() {
		if st.settled(id) || st.Attended(now, id) {
			continue
		}
		out = append(out, id)
	}
	return out
}

func (st *State) settled(id member.ID) bool {
	for _, c := range st.OpenCases() {
		if c.Subject == id && c.State != Settling {
			return false
		}
	}
	v, _ := st.ledger.Standing(id)
	u := st.s.Uses[id]
	switch {
	case v.Kind == consensus.VerdictPartial, v.Kind == consensus.VerdictAgentLost:
		// Nobody will act on it; it counts while it is young.
		return st.ledger.Time().Sub(v.Since) >= st.timing().OpenMemory
	case v.Kind == consensus.VerdictDomainCut:
		return false
	case u == nil:
		return true
	default:
		return u.Duty != Occupant
	}
}
