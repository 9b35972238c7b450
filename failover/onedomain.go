package failover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// Fallen is the way out of a cascade of one failure domain (PROTOCOL 7): these
// members, all of one failure domain, are lost while the rest of the fleet is
// clean, nothing has changed for a long while, and all observers said so in a
// fresh roll call. From then on they hold up nobody: the brake is guarded for
// them, and each of them is voted on anew, one after the other.
type Fallen struct {
	Domain  member.FailureDomain `json:"domain"`
	Members []member.ID          `json:"members"` // sorted
	Since   time.Time            `json:"since"`
}

// has reports that a member is one of the fallen; nobody is one of nil.
func (f *Fallen) has(id member.ID) bool {
	if f == nil {
		return false
	}
	_, in := slices.BinarySearch(f.Members, id)
	return in
}

// covers reports that all of these are among the fallen: as soon as anybody else
// is in trouble the rest is not clean any more, and the fall is void.
func (f *Fallen) covers(ids []member.ID) bool {
	return f != nil && !slices.ContainsFunc(ids, func(id member.ID) bool { return !f.has(id) })
}

// fallenShare is the largest failure domain whose loss is repaired without people,
// as one in so many of the fleet. A dead hypervisor with 4 of 60 members has to be;
// a cut site must not be, and from outside the two look the same.
const fallenShare = 5

// strongerThanLease lists the fence levels that prove more than a lease does: the
// keeper of a member that is only cut off might be the very thing that is broken.
var strongerThanLease = []string{"watchdog", "network", "power"}

// fallObstacle says why people have to decide about a failure domain of which these
// members are lost, empty if nobody needs to. It knows only what stands in the
// ledger, so every agent gives the same answer.
func (st *State) fallObstacle(now time.Time, d member.FailureDomain, lost []member.ID) string {
	roster := st.ledger.Roster()
	size := 0
	for _, m := range roster.Members {
		if m.Domain == d {
			size++
		}
	}
	if size*fallenShare > roster.Len() {
		return fmt.Sprintf("failure domain %s is %d of %d members, more than a fifth", d, size, roster.Len())
	}
	need := map[string]int{}
	for _, id := range lost {
		v, stands := st.ledger.Standing(id)
		if !stands || v.Kind == consensus.VerdictPartial {
			return fmt.Sprintf("%s is in trouble, and no verdict says that it is lost", id)
		}
		s := st.slotOf(id)
		if s == nil {
			continue
		}
		need[s.Pool]++
		if pool, ok := st.ledger.Fleet().Pool(s.Pool); ok && pool.Exclusive && !slices.ContainsFunc(pool.Fence, func(level string) bool {
			return slices.Contains(strongerThanLease, level)
		}) {
			return fmt.Sprintf("slot %s of %s is exclusive, and fence levels %v prove no more than a lease", s.ID, id, pool.Fence)
		}
	}
	for _, pool := range st.ledger.Fleet().Pools {
		if have := st.freeOutside(now, pool.Name, d); have < need[pool.Name] {
			return fmt.Sprintf("pool %s has %d free spares outside of failure domain %s, and %d slots to fill", pool.Name, have, d, need[pool.Name])
		}
	}
	return ""
}

// freeOutside counts the spares of a pool that may be claimed and stand elsewhere.
func (st *State) freeOutside(now time.Time, pool string, d member.FailureDomain) int {
	n := 0
	for _, m := range st.ledger.Roster().Members {
		if st.PoolOf(m.ID) == pool && m.Domain != d && st.claimable(now, m.ID) == nil && st.spared(now, m.ID, false) == nil {
			n++
		}
	}
	return n
}

// checkFallen refuses a fall that the ledger itself does not bear: a leader's word
// that nothing has changed is taken, for the clock that it needs is its own.
func (st *State) checkFallen(now time.Time, p Brakes) error {
	if p.Fallen == nil || st.s.Brake.Fallen != nil && slices.Equal(p.Fallen.Members, st.s.Brake.Fallen.Members) {
		return nil
	}
	d, one := st.oneDomain(p.Fallen.Members)
	switch {
	case !one || d != p.Fallen.Domain:
		return fmt.Errorf("brake: %v are not all of failure domain %s", p.Fallen.Members, p.Fallen.Domain)
	case !p.Fallen.covers(st.Unsettled(now)):
		return fmt.Errorf("brake: others than failure domain %s are condemned and not settled", d)
	}
	if why := st.fallObstacle(now, d, p.Fallen.Members); why != "" {
		return fmt.Errorf("brake: failure domain %s waits for people: %s", d, why)
	}
	return nil
}

// checkAnew refuses a verdict of its own on a member of a failure domain that is
// out of reach as a whole, until that domain has fallen.
func (st *State) checkAnew(v consensus.Verdict) error {
	for _, x := range v.Findings {
		old, _ := st.ledger.Standing(x.Subject)
		if x.Kind == consensus.VerdictDown && old.Kind == consensus.VerdictDomainCut && !st.s.Brake.Fallen.has(x.Subject) {
			return fmt.Errorf("verdict on %s: %s, and its failure domain is out of reach as a whole", x.Subject, x.Kind)
		}
	}
	return nil
}

// oneDomain is the failure domain that all of these are of; false if they are of
// several, or nobody.
func (st *State) oneDomain(ids []member.ID) (member.FailureDomain, bool) {
	if len(ids) == 0 {
		return "", false
	}
	d := st.ledger.Roster().Domain(ids[0])
	for _, id := range ids[1:] {
		if st.ledger.Roster().Domain(id) != d {
			return "", false
		}
	}
	return d, true
}

// vigil is how a leader watches the loss of one failure domain. A new leader
// begins anew, so a fall can only come later than it might.
type vigil struct {
	domain member.FailureDomain
	open   []member.ID
	under  []uint64                // the verdicts that they stand under
	since  time.Time               // nothing has changed since
	agreed map[member.ID]time.Time // when everybody said that this one is lost
	asked  map[member.ID]time.Time
	told   bool // everybody agreed once: what speaks against the fall is for people to know
}

// watch keeps the vigil: it begins when one failure domain alone is open and
// something holds because of that, and begins anew with every change.
func (b *Brake) watch(now time.Time, open []member.ID, old Brakes) {
	d, one := b.st.oneDomain(open)
	if !one || old.Fallen.covers(open) || b.st.replacementsDied(now) >= 2 || !b.held(open, old) {
		b.vigil = nil
		return
	}
	var under []uint64
	for _, id := range open {
		v, _ := b.st.ledger.Standing(id)
		under = append(under, v.Index)
	}
	if b.vigil == nil || !slices.Equal(b.vigil.open, open) || !slices.Equal(b.vigil.under, under) {
		b.vigil = &vigil{domain: d, open: open, under: under, since: now, agreed: map[member.ID]time.Time{}, asked: map[member.ID]time.Time{}}
	}
}

// held reports that something waits because of these members: a cascade of any
// scope, or the one verdict about their whole failure domain.
func (b *Brake) held(open []member.ID, old Brakes) bool {
	for _, m := range old.Modes {
		if m.Mode == Cascade {
			return true
		}
	}
	return slices.ContainsFunc(open, func(id member.ID) bool {
		v, _ := b.st.ledger.Standing(id)
		return v.Kind == consensus.VerdictDomainCut
	})
}

// ripe reports that nothing has changed for as long as a cascade has to be calm.
func (v *vigil) ripe(now time.Time, t Timing) bool {
	return v != nil && now.Sub(v.since) >= t.CascadeClear
}

// rollPause paces the roll calls of a vigil. While people have to decide, and
// everybody agrees, one now and then is enough.
const (
	rollPause = 100 * time.Millisecond
	rollCalm  = 30 * time.Second
)

// rollAgain paces those about one member: its observers need time to answer.
func (b *Brake) rollAgain() time.Duration { return 2 * b.st.timing().LookAgain }

// lost reports that everybody agreed about all of them, not longer ago than this.
func (v *vigil) lost(now time.Time, valid time.Duration) bool {
	return !slices.ContainsFunc(v.open, func(id member.ID) bool {
		t, ok := v.agreed[id]
		return !ok || now.Sub(t) > valid
	})
}

// fall gives the fall that is due, nil for none, or what people have to decide
// about instead. Nobody is called about members that are back.
func (b *Brake) fall(now time.Time) (f *Fallen, obstacle string) {
	v := b.vigil
	if !v.ripe(now, b.st.timing()) {
		return nil, ""
	}
	round := 2*b.rollAgain() + time.Duration(len(v.open))*rollPause // a larger domain takes longer to be asked about
	lost := v.lost(now, round)
	v.told = v.told || lost
	switch {
	case v.told && b.obstacle(now) != "": // it is not taken back while nothing changes
		return nil, b.obstacle(now)
	case !lost:
		return nil, ""
	default:
		return &Fallen{Domain: v.domain, Members: v.open, Since: now}, ""
	}
}

func (b *Brake) obstacle(now time.Time) string {
	return b.st.fallObstacle(now, b.vigil.domain, b.vigil.open)
}

// Ask names a member about whom all observers are to be asked now, false for none.
func (b *Brake) Ask(now time.Time) (member.ID, bool) {
	v := b.vigil
	if !v.ripe(now, b.st.timing()) || now.Sub(b.askedAt) < rollPause {
		return "", false
	}
	pace := b.rollAgain()
	again := pace
	if b.obstacle(now) != "" {
		again = rollCalm
	}
	for _, id := range v.open {
		if now.Sub(v.asked[id]) >= pace && now.Sub(v.agreed[id]) >= again {
			v.asked[id], b.askedAt = now, now
			return id, true
		}
	}
	return "", false
}

// Looked takes the end of a roll call into account. One that somebody contradicts
// takes back what was agreed before.
func (b *Brake) Looked(l SecondLook) {
	v := b.vigil
	if v == nil || !slices.Contains(v.open, l.Subject) {
		return
	}
	switch {
	case l.Agreed && !l.Called.Before(v.since):
		v.agreed[l.Subject] = l.Called
	case l.Agent != agent.Down && l.Service != agent.Down:
		delete(v.agreed, l.Subject)
	}
}

// lower brings the modes that hold because of the fallen down to guarded.
func (b *Brake) lower(now time.Time, next *Brakes, f *Fallen, open []member.ID) {
	next.Fallen = f
	why := fmt.Sprintf("failure domain %s alone is lost, nothing has changed for %v, and all observers agree: its members are replaced one at a time",
		f.Domain, b.st.timing().CascadeClear)
	scopes := []Scope{InDomain(f.Domain)}
	for s, m := range next.Modes {
		if m.Mode == Cascade && s != InDomain(f.Domain) {
			scopes = append(scopes, s)
		}
	}
	for _, s := range scopes {
		next.Modes[s] = ScopeMode{
			Mode: Guarded, Since: now, Open: open, Why: why,
			Ends: fmt.Sprintf("all of them settled for %v", b.st.timing().GuardedClear),
		}
	}
	b.vigil = nil
}

// FallenDomain is the failure domain whose members are voted on anew, empty for
// none.
func (b Brakes) FallenDomain() member.FailureDomain {
	if b.Fallen == nil {
		return ""
	}
	return b.Fallen.Domain
}

// forPeople stands in what ends a mode before what people have to decide.
const forPeople = "; people have to decide: "

// ForPeople is why the loss of one failure domain waits for people, empty if it
// does not.
func (b Brakes) ForPeople() string {
	_, why, _ := strings.Cut(b.In(Fleet).Ends, forPeople)
	return why
}
