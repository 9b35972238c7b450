package sim

import (
	"moonwatch/consensus"
	"moonwatch/member"
)

// The council changes with the ledger. What it is in the agreed story is what the
// checkers go by; until there is one, it is the founders.

// councillors vote now.
func (w *World) councillors() []member.ID {
	if ids := w.checker.fold.Councillors(); len(ids) > 0 {
		return ids
	}
	return w.cfg.Council
}

// seats are those that have a say in what is agreed.
func (w *World) seats() consensus.Seats {
	s := w.checker.fold.Seats()
	if len(s.Voters) == 0 {
		for i, id := range w.cfg.Council {
			s.Voters = append(s.Voters, consensus.Seat{ID: uint64(i + 1), Member: id})
		}
	}
	return s
}

// holds reports that a seat's raft is on its member's disk.
func (w *World) holds(s consensus.Seat) bool {
	d := w.machine(s.Member).disk
	return d.seat == s.ID || d.seat == 0 && s.Disk == "" && !d.emptied
}

// forgotten are the councillors whose seats lost what their disks had synced.
func (w *World) forgotten() []member.ID {
	var out []member.ID
	for _, s := range w.seats().Voters {
		if w.assumptions.emptied[s.ID] {
			out = append(out, s.Member)
		}
	}
	return out
}

// most reports that ok holds for most of the voters, and while a swap is under way
// for most of those before it as well; with a count for people.
func (w *World) most(ok func(consensus.Seat) bool) (enough bool, n, all int) {
	s := w.seats()
	enough = true
	for _, list := range [][]consensus.Seat{s.Outgoing, s.Voters} {
		if len(list) == 0 {
			continue
		}
		n, all = 0, len(list)
		for _, x := range list {
			if ok(x) {
				n++
			}
		}
		enough = enough && 2*n > all
	}
	return enough, n, all
}
