package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"moonwatch/member"
)

// history is what happened to slots and spares, as operations that took their
// time: a fact from when it came to the first councillor's disk until the first
// agent took it for agreed, a service that comes up at one instant. Audit asks
// whether each of them could have happened at some instant in between, so that
// every step was allowed by the ones before (porcupine).
//
// The books check the order of the ledger. The history checks that this order
// agrees with the time that really passed, and that services run where the ledger
// knows of it.
type history struct {
	tick int64
	ops  []porcupine.Operation
}

// next is a point in the order of everything that is recorded.
func (h *history) next() int64 {
	h.tick++
	return h.tick
}

// runs is the operation of a service that came up. The others are moves of the
// books.
const runs = touched + 1

// book records what an accepted fact moved. A move concerns a member and a slot:
// each has a history of its own.
func (h *history) book(k call, moves []move) {
	for _, m := range moves {
		switch m.what {
		case judged, returned, touched:
			continue
		case given, seated:
			h.add(k.tick, h.next(), entry{move: m, bySlot: true})
		default: // concerns the member alone
		}
		h.add(k.tick, h.next(), entry{move: m})
	}
}

// begin records what was the case before the world began. The slot's history
// begins with the occupant's.
func (h *history) begin(moves ...move) {
	for _, m := range moves {
		t := h.next()
		if m.what == given && len(moves) == 1 {
			h.add(t, h.next(), entry{move: m, bySlot: true})
		}
		h.add(t, h.next(), entry{move: m})
	}
}

// runs records that a slot's service came up on a member.
func (h *history) runs(id member.ID, slot member.SlotID, epoch member.SlotEpoch) {
	t := h.next()
	h.add(t, h.next(), entry{move: move{what: runs, who: id, slot: slot, epoch: epoch}})
}

func (h *history) add(from, to int64, d entry) {
	h.ops = append(h.ops, porcupine.Operation{ClientId: len(h.ops), Input: d, Call: from, Return: to})
}

// entry is one operation of a member's history, or of a slot's.
type entry struct {
	move
	bySlot bool
}

func (d entry) key() string {
	if d.bySlot {
		return "slot " + string(d.slot)
	}
	return "member " + string(d.who)
}

// linear checks all histories (S4).
func (h *history) linear(c *checker) {
	for key, ops := range h.parts() {
		c.look(ruleOwner)
		if !porcupine.CheckOperations(ownership, ops) {
			c.fail(ruleOwner, "the history of %s has no order in which each step is allowed: %s", key, tellOps(ops))
			return
		}
	}
}

// parts splits the history by member and by slot, in the order of their names.
func (h *history) parts() func(yield func(string, []porcupine.Operation) bool) {
	by := map[string][]porcupine.Operation{}
	var keys []string
	for _, o := range h.ops {
		k := o.Input.(entry).key()
		if by[k] == nil {
			keys = append(keys, k)
		}
		by[k] = append(by[k], o)
	}
	slices.Sort(keys)
	return func(yield func(string, []porcupine.Operation) bool) {
		for _, k := range keys {
			if !yield(k, by[k]) {
				return
			}
		}
	}
}

// ownership is the sequential story that a member's or a slot's history has to
// agree with.
var ownership = porcupine.Model{
	Init: func() any { return owned{} },
	Step: func(state, input, _ any) (bool, any) {
		s, d := state.(owned), input.(entry)
		if d.bySlot {
			return s.swap(d)
		}
		return s.use(d)
	},
	DescribeOperation: func(input, _ any) string { return input.(entry).String() },
}

// owned is a member's state: what it may be putting up, what it occupies, what may
// still run there. For a slot only the slot epoch counts.
type owned struct {
	claim, seat string // a slot at a slot epoch
	left        string // slots that may still run, each followed by a comma
	epoch       member.SlotEpoch
}

// swap is the compare-and-swap on a slot's epoch.
func (s owned) swap(d entry) (bool, owned) {
	ok := s.epoch == d.from && d.epoch > d.from
	if d.from == 0 { // of a slot that was taken out of the fleet and is back
		ok = d.epoch > s.epoch
	}
	s.epoch = d.epoch
	return ok, s
}

// use is one step in the life of a member of a pool.
func (s owned) use(d entry) (bool, owned) {
	here := fmt.Sprintf("%s@%d", d.slot, d.epoch)
	free := s.claim == "" && s.seat == "" && s.left == ""
	switch d.what {
	case given:
		s.seat = here
		return free, s
	case claimed:
		s.claim = here
		return free, s
	case prepares: // whoever prepares runs nothing yet
		s.claim = "to prepare " + here
		return free, s
	case enlivened:
		ok := strings.HasPrefix(s.claim, "to prepare "+string(d.slot)+"@")
		s.claim = here
		return ok, s
	case released:
		ok := s.claim == here || s.claim == "to prepare "+here
		s.claim, s.left = "", s.left+string(d.slot)+","
		return ok, s
	case seated:
		ok := s.claim == here
		s.claim, s.seat = "", here
		return ok, s
	case unseated:
		ok := s.seat == here
		s.seat, s.left = "", s.left+string(d.slot)+","
		return ok, s
	case cleaned:
		ok := strings.Contains(s.left, string(d.slot)+",")
		s.left = strings.ReplaceAll(s.left, string(d.slot)+",", "")
		return ok, s
	case runs:
		at := string(d.slot) + "@"
		return strings.HasPrefix(s.claim, at) || strings.HasPrefix(s.seat, at) || strings.Contains(s.left, string(d.slot)+","), s
	default:
		return true, s
	}
}

func (d entry) String() string {
	return fmt.Sprintf("%s %s %s@%d", moveNames[d.what], d.who, d.slot, d.epoch)
}

var moveNames = [...]string{
	judged: "judged", given: "given", claimed: "claimed", released: "released", seated: "seated", unseated: "unseated",
	prepares: "prepares", enlivened: "goes live", cleaned: "cleaned", returned: "returned", touched: "touched", runs: "runs",
}

// tellOps lists operations for people.
func tellOps(ops []porcupine.Operation) string {
	var b strings.Builder
	for i, o := range ops {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%d-%d %s", o.Call, o.Return, o.Input.(entry))
	}
	return b.String()
}
