package member

// Places is a set of members of one roster, by their places in it: a bit each,
// where the names of a thousand would fill datagrams. To whoever has another roster
// it says nothing.
type Places struct {
	Roster RosterEpoch
	First  int    // the place that bit 0 of Bits stands for, a multiple of 8
	Bits   []byte // place First+i is bit i%8 of byte i/8
}

// Places is the set of those named; strangers are left out.
func (r *Roster) Places(ids []ID) Places {
	if r == nil {
		return Places{}
	}
	p := Places{Roster: r.Epoch, Bits: make([]byte, (r.Len()+7)/8)}
	for _, id := range ids {
		if at := r.Index(id); at >= 0 {
			p.Bits[at/8] |= 1 << (at % 8)
		}
	}
	return p
}

// In lists the members of a set, in the roster's order; nobody if it is a set of
// another roster.
func (r *Roster) In(p Places) []ID {
	if r == nil || p.Roster != r.Epoch {
		return nil
	}
	var ids []ID
	for i := range 8 * len(p.Bits) {
		if at := p.First + i; p.Bits[i/8]&(1<<(i%8)) != 0 && at < r.Len() {
			ids = append(ids, r.Members[at].ID)
		}
	}
	return ids
}
