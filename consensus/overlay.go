package consensus

import (
	"cmp"
	"hash/fnv"
	"slices"

	"moonwatch/member"
)

// FullMeshTo is the largest fleet in which everybody observes everybody
// (PROTOCOL 2): 15 edges at two probes a second are 7.3 KB/s.
const FullMeshTo = 16

// Observers is how many distinct observers a subject has in a larger fleet.
const Observers = 16

// Overlay says who observes whom. It is a pure function of the roster, so
// every agent knows it without asking, and a value that is never changed.
type Overlay struct {
	roster   *member.Roster
	subjects [][]int32 // by observer's index, sorted
	watchers [][]int32 // by subject's index, sorted
	names    [2][][]member.ID
}

// NewOverlay computes the overlay of a roster. Above FullMeshTo members each
// subject is observed by its neighbours on seeded rings: one ring per pair of
// observers, members ordered by a hash, observers taken on both sides. A ring
// whose neighbour is taken already gives the next one on it.
func NewOverlay(r *member.Roster) *Overlay {
	n := r.Len()
	o := &Overlay{roster: r, subjects: make([][]int32, n), watchers: make([][]int32, n)}
	if n <= FullMeshTo {
		for i := range n {
			for j := range n {
				if i != j {
					o.subjects[i] = append(o.subjects[i], int32(j))
					o.watchers[j] = append(o.watchers[j], int32(i))
				}
			}
		}
		return o.named()
	}
	for ring := range Observers / 2 {
		order := ringOrder(r, ring)
		for at, subject := range order {
			o.assign(order, at, subject, +1)
			o.assign(order, at, subject, -1)
		}
	}
	for i := range n {
		slices.Sort(o.subjects[i])
		slices.Sort(o.watchers[i])
	}
	return o.named()
}

// named spells the lists out once: they are asked for far more often than they
// change.
func (o *Overlay) named() *Overlay {
	for k, lists := range [2][][]int32{o.subjects, o.watchers} {
		o.names[k] = make([][]member.ID, len(lists))
		for i, list := range lists {
			ids := make([]member.ID, len(list))
			for n, j := range list {
				ids[n] = o.roster.Members[j].ID
			}
			o.names[k][i] = ids
		}
	}
	return o
}

// assign gives subject the nearest member on its ring that does not observe it
// yet, and that brings a new failure domain until three are covered: a fault
// that one domain shares must not be all that is known about a subject.
func (o *Overlay) assign(order []int32, at int, subject int32, step int) {
	n := len(order)
	fallback := int32(-1)
	for k, i := 0, at; k < n-1; k++ {
		i = (i + step + n) % n
		w := order[i]
		if slices.Contains(o.watchers[subject], w) {
			continue
		}
		if o.widens(subject, w) {
			o.link(w, subject)
			return
		}
		if fallback < 0 {
			fallback = w
		}
		if k >= 4*Observers {
			break // a fleet of one domain has nothing to widen
		}
	}
	if fallback >= 0 {
		o.link(fallback, subject)
	}
}

// widens reports that w is welcome as an observer: three domains are covered
// already, or w brings a new one.
func (o *Overlay) widens(subject, w int32) bool {
	seen := make([]member.FailureDomain, 0, 3)
	for _, x := range o.watchers[subject] {
		if d := o.roster.Members[x].Domain; !slices.Contains(seen, d) {
			seen = append(seen, d)
			if len(seen) == 3 {
				return true
			}
		}
	}
	return !slices.Contains(seen, o.roster.Members[w].Domain)
}

func (o *Overlay) link(observer, subject int32) {
	o.subjects[observer] = append(o.subjects[observer], subject)
	o.watchers[subject] = append(o.watchers[subject], observer)
}

// ringOrder is the members' order on one ring: by a hash of name and ring, so
// that a member that joins or leaves moves only its neighbours.
func ringOrder(r *member.Roster, ring int) []int32 {
	type place struct {
		h uint64
		i int32
	}
	ps := make([]place, r.Len())
	for i, m := range r.Members {
		h := fnv.New64a()
		h.Write([]byte{byte(ring)})
		h.Write([]byte(m.ID))
		ps[i] = place{mix(h.Sum64()), int32(i)}
	}
	slices.SortFunc(ps, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.h, b.h), cmp.Compare(a.i, b.i))
	})
	order := make([]int32, len(ps))
	for k, p := range ps {
		order[k] = p.i
	}
	return order
}

// mix spreads FNV's weak high bits (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// SubjectsOf lists whom id observes, sorted; the list is shared. A stranger
// observes nobody.
func (o *Overlay) SubjectsOf(id member.ID) []member.ID { return o.list(0, id) }

// ObserversOf lists who observes id, sorted; the list is shared.
func (o *Overlay) ObserversOf(id member.ID) []member.ID { return o.list(1, id) }

// Assigned reports whether observer is one of subject's observers.
func (o *Overlay) Assigned(observer, subject member.ID) bool {
	i, j := o.roster.Index(observer), o.roster.Index(subject)
	if i < 0 || j < 0 {
		return false
	}
	return o.assigned(i, j)
}

// assigned is Assigned by places in the roster.
func (o *Overlay) assigned(observer, subject int) bool {
	_, ok := slices.BinarySearch(o.watchers[subject], int32(observer))
	return ok
}

func (o *Overlay) list(which int, id member.ID) []member.ID {
	i := o.roster.Index(id)
	if i < 0 {
		return nil
	}
	return o.names[which][i]
}
