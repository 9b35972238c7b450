package consensus

import (
	"slices"

	"moonwatch/member"
)

// A build that meets a fact of a kind that it does not know stops deciding: it no
// longer knows the whole state. So that a rolling upgrade never stops a council, a kind
// that came later is proposed only when every councillor has said that it knows it.

// firstKinds are those that every build knows.
var firstKinds = []FactKind{
	KindGenesis, KindFleet, KindVerdict,
	"case-opened", "case-step", "step-report", "brake", "member-returned", "enforcer", "fencer", "fence-order", "doors-told",
	"hold", "hold-lifted", "drain", "switchover",
}

// laterKinds came one by one. A new kind is added here, never above: a test holds both
// lists against the sources.
var laterKinds = []FactKind{
	KindDisk, KindCouncil, KindRefound,
	"request", "answer", "announced", "would", "spare-prepare", "spare-release",
	"drill", "drill-due", "drill-ended", "strikes-cleared", "member-returned-early",
	"spare-fits", "spare-borrowed",
	"address-told", "failover-forced", "case-held-back", "case-taken-back", "loan-ended",
	KindThrottle, KindPin, KindUnpin,
	KindRevoked,
	"stop-again", "slot-vacated", "slot-filled",
}

// LaterKinds are those of the later kinds that this ledger knows: what its agent tells
// the others.
func (l *Ledger) LaterKinds() []FactKind {
	return slices.DeleteFunc(slices.Clone(laterKinds), func(k FactKind) bool { return !l.knows(k) })
}

// knows reports whether this build can apply facts of a kind.
func (l *Ledger) knows(kind FactKind) bool {
	switch kind {
	case KindGenesis, KindFleet, KindVerdict, KindDisk, KindCouncil, KindRefound, KindRevoked:
		return true
	default: // a folder's
		return slices.ContainsFunc(l.folders, func(p Folder) bool { return p.Knows(kind) })
	}
}

// MayPropose says whether a fact of a kind stops nobody, and whom it would stop: a
// councillor whose build has not been heard to know it, or any other member that was
// heard not to. One under a verdict is not waited for, and a kind that stands in the
// ledger already has stopped whom it could. Told is what a member has said, and whether
// it has said anything.
func (l *Ledger) MayPropose(kind FactKind, told func(member.ID) (kinds []FactKind, heard bool)) (stops member.ID, ok bool) {
	switch {
	case slices.Contains(firstKinds, kind), slices.Contains(l.s.Spoken, kind):
		return "", true
	case !l.knows(kind):
		return "", false
	}
	s := l.Seats()
	for _, list := range [][]Seat{s.Voters, s.Outgoing} {
		for _, x := range list {
			if kinds, _ := told(x.Member); !l.lost(x.Member) && !slices.Contains(kinds, kind) {
				return x.Member, false
			}
		}
	}
	// Who has no seat stops deciding too: it asks for no lease any more, and loses its slot.
	for _, m := range l.roster.Members {
		if kinds, heard := told(m.ID); heard && !l.lost(m.ID) && !slices.Contains(kinds, kind) {
			return m.ID, false
		}
	}
	return "", true
}

// lost reports that nobody waits for the word of a member.
func (l *Ledger) lost(id member.ID) bool {
	v, stands := l.s.Standing[id]
	return stands && (v.Kind == VerdictDown || v.Kind == VerdictAgentLost || v.Kind == VerdictDomainCut)
}

// spoke remembers that a fact of a later kind stands.
func (l *Ledger) spoke(kind FactKind) {
	if slices.Contains(laterKinds, kind) && !slices.Contains(l.s.Spoken, kind) {
		l.s.Spoken = append(l.s.Spoken[:len(l.s.Spoken):len(l.s.Spoken)], kind)
	}
}
