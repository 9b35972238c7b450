package failover

import (
	"maps"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// LessorEffect is what a Lessor wants done. The set is closed.
type LessorEffect interface{ isLessorEffect() }

// Confirm asks for a confirmation, begun now, that this agent leads: the answer is
// Confirmed, once this ledger has all that was agreed when it began.
type Confirm struct{ Round uint64 }

// SendGrant asks for a grant to be signed and sent.
type SendGrant struct{ Grant agent.Grant }

func (Confirm) isLessorEffect()   {}
func (SendGrant) isLessorEffect() {}

// Lessor grants leases of exclusive slots on the council's leader, and knows when
// one has surely ended (PROTOCOL 6, docs/adr/015). It sits on every councillor, for
// whoever leads next has seen the fencings too.
type Lessor struct {
	st    *State
	leads bool
	from  time.Time              // no lease of an earlier leadership was begun later
	last  map[tenure]grantedAt   // in this leadership
	fence map[fencing]time.Time  // when this agent's ledger applied it
	wait  []agent.Renewal        // arrived since the confirmation under way began
	asked []agent.Renewal        // arrived before it
	round uint64                 // of that confirmation
	begun time.Time              // when; zero: none is under way
	next  time.Time              // no other one begins earlier
	seen  map[member.ID]tenureOf // the newest renewal of each holder, so that a copy is granted once
}

// tenure is one slot epoch of a slot.
type tenure struct {
	slot  member.SlotID
	epoch member.SlotEpoch
}

// fencing is one FENCING of a case: the fact that began it.
type fencing struct {
	tenure
	fact uint64
}

type grantedAt struct {
	at     time.Time
	length time.Duration
}

type tenureOf struct {
	life member.Incarnation
	seq  uint64
}

// confirmAgain is how long a confirmation may be under way before another one is
// begun: raft forgets what it was asked when the leader changes.
const confirmAgain = time.Second

// confirmEvery is how long renewals are gathered for one confirmation, which is a
// message to each councillor and learner and back, however many it is for. A grant
// comes later by this at most, where leases reckon with a round trip of a second.
const confirmEvery = 100 * time.Millisecond

// NewLessor makes the lessor of one agent.
func NewLessor(st *State) *Lessor {
	return &Lessor{st: st, last: map[tenure]grantedAt{}, fence: map[fencing]time.Time{}, seen: map[member.ID]tenureOf{}}
}

// Lead begins a leadership. From is a time at which, and after which, no leader
// before this one can have granted a renewal that was sent later.
func (l *Lessor) Lead(from time.Time) {
	l.leads, l.from = true, from
	l.last, l.seen = map[tenure]grantedAt{}, map[member.ID]tenureOf{}
	l.wait, l.asked, l.begun, l.next = nil, nil, time.Time{}, time.Time{}
}

// Depose ends it.
func (l *Lessor) Depose() {
	l.leads = false
	l.wait, l.asked, l.begun = nil, nil, time.Time{}
}

// Noticed looks at the ledger after facts were applied: from the moment when a
// FENCING stands here, all grants of its slot epoch were sent in the past.
func (l *Lessor) Noticed(now time.Time) {
	open := 0
	for _, c := range l.st.OpenCases() {
		if c.FenceEpoch == 0 {
			continue
		}
		open++
		k := fencing{tenure{c.Slot, c.FenceEpoch}, c.fencedFrom()}
		if _, known := l.fence[k]; !known {
			l.fence[k] = now
		}
	}
	if len(l.fence) > open {
		maps.DeleteFunc(l.fence, func(k fencing, _ time.Time) bool {
			c := l.st.fencingOf(k.slot, k.epoch)
			return c == nil || c.fencedFrom() != k.fact
		})
	}
}

// Renewed takes a renewal that has just arrived. It is granted after a confirmation
// that begins now or later: one that is under way says nothing about now.
func (l *Lessor) Renewed(now time.Time, r agent.Renewal) []LessorEffect {
	if !l.leads {
		return nil
	}
	if old := l.seen[r.Holder]; r.Life < old.life || r.Life == old.life && r.Seq <= old.seq {
		return nil // a copy, or one that a younger one has overtaken
	}
	l.seen[r.Holder] = tenureOf{r.Life, r.Seq}
	l.wait = append(l.wait, r)
	return l.confirm(now)
}

// Woken begins the confirmation for which renewals were gathered.
func (l *Lessor) Woken(now time.Time) []LessorEffect { return l.confirm(now) }

// Wake is when a confirmation is due; the zero time: never, for no renewal waits.
func (l *Lessor) Wake() time.Time {
	switch {
	case len(l.wait) == 0:
		return time.Time{}
	case l.begun.IsZero():
		return l.next
	default:
		return l.begun.Add(confirmAgain)
	}
}

func (l *Lessor) confirm(now time.Time) []LessorEffect {
	if len(l.wait) == 0 || now.Before(l.Wake()) {
		return nil
	}
	l.round++
	l.asked, l.wait, l.begun, l.next = append(l.asked, l.wait...), nil, now, now.Add(confirmEvery)
	return []LessorEffect{Confirm{Round: l.round}}
}

// Confirmed ends a confirmation: the renewals that waited for it are granted, as
// far as the ledger shows that their holders may go on.
func (l *Lessor) Confirmed(now time.Time, round uint64) []LessorEffect {
	if !l.leads || round != l.round || l.begun.IsZero() {
		return nil
	}
	asked := l.asked
	l.asked, l.begun = nil, time.Time{}
	var out []LessorEffect
	for _, r := range asked {
		if slot, epoch, ok := l.st.Tenure(r.Holder); !ok || slot != r.Slot || epoch != r.Epoch {
			continue
		}
		terms := l.st.Terms()
		l.last[tenure{r.Slot, r.Epoch}] = grantedAt{at: now, length: max(terms.Length, l.st.longest(now))}
		out = append(out, SendGrant{Grant: agent.Grant{Renewal: r, Terms: terms}})
	}
	return append(out, l.confirm(now)...)
}

// Ends is when the lease of a slot epoch has surely ended: L(1+d) after the last
// grant of this leadership, or after its beginning if it gave none, or after the
// FENCING stood in this agent's ledger, whichever is first. Only a leader may ask.
func (l *Lessor) Ends(now time.Time, c *Case) time.Time {
	k := tenure{c.Slot, c.FenceEpoch}
	since, length := l.from, l.st.longest(now)
	if g, ok := l.last[k]; ok {
		since, length = g.at, max(length, g.length)
	}
	if at, ok := l.fence[fencing{k, c.fencedFrom()}]; ok && at.Before(since) {
		since = at
	}
	return since.Add(member.Slower(length))
}

// leaseEnded reports whether the lease of whoever a case fences is over for sure,
// and if not yet, when.
func (c *Conductor) leaseEnded(now time.Time, x *Case) (ended bool, at time.Time) {
	if c.lessor == nil || x.Proof != "" || x.FenceEpoch == 0 || c.st.checkProof(x, proofLease) != nil {
		return false, time.Time{}
	}
	at = c.lessor.Ends(now, x)
	return !now.Before(at), at
}
