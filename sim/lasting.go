package sim

import (
	"slices"
	"time"
)

// lasting are the faults that hold a machine at this moment, in the order in which
// they began. An end ends its own fault: while another one of its sort goes on, the
// machine stays without power, ill, slow or in wrong hands.
type lasting []lastingFault

type lastingFault struct {
	Fault
	until time.Duration // its end, if it has one of its own
}

// sort is what faults of several kinds have in common that do the same to a machine:
// the end of one of them does not undo the others.
func (k FaultKind) sort() FaultKind {
	switch k {
	case Wipe, TornTail, LostTail:
		return Crash
	case HangingFence, FailingFence:
		return LyingFence
	case Defame:
		return Lie
	default:
		return k
	}
}

// of are the faults of a sort that last.
func (l lasting) of(k FaultKind) lasting {
	var out lasting
	for _, f := range l {
		if f.Do.sort() == k.sort() {
			out = append(out, f)
		}
	}
	return out
}

// holds reports whether a fault of this sort lasts.
func (l lasting) holds(k FaultKind) bool {
	return slices.ContainsFunc(l, func(f lastingFault) bool { return f.Do.sort() == k.sort() })
}

// until is when the last of the faults of one kind ends, 0 if none lasts.
func (l lasting) until(k FaultKind) time.Duration {
	var t time.Duration
	for _, f := range l {
		if f.Do == k {
			t = max(t, f.until)
		}
	}
	return t
}

// pace is that of the slowest of a kind: two of them do not add up.
func (l lasting) pace(k FaultKind, otherwise pace) pace {
	var p pace
	for _, f := range l.of(k) {
		x := f.pace(otherwise)
		p = pace{more: max(p.more, x.more), times: max(p.times, x.times)}
	}
	return p
}

// end takes the first fault out that is like f. Who mends by hand says the kind
// alone, and means one that has no end of its own.
func (l *lasting) end(f Fault) {
	for _, like := range []func(lastingFault) bool{
		func(x lastingFault) bool { return x.like(f) },
		func(x lastingFault) bool { return x.Do == f.Do && x.For == 0 && f.For == 0 },
	} {
		if i := slices.IndexFunc(*l, like); i >= 0 {
			*l = slices.Delete(*l, i, i+1)
			return
		}
	}
}

// like reports that two faults do the same to the same others for as long, whoever
// else they strike.
func (f Fault) like(g Fault) bool {
	return f.Do == g.Do && f.For == g.For && f.Share == g.Share && f.Delay == g.Delay && f.Every == g.Every &&
		f.Serve == g.Serve && slices.Equal(f.Other, g.Other)
}
