package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// sentences say in a line what an invariant promises. A checker that is not
// among them is shown by its name alone.
var sentences = map[string]string{
	"promise 1": "No verdict without an observer quorum that really said so, and none on a member that is well.",
	"promise 2": "Nothing irreversible without a council quorum.",
	"promise 3": "An exclusive slot never has two occupants.",
	"promise 4": "A spare is never in two slots, and never lost.",
	"promise 5": "A failover happens once: no step has its effect twice.",
	"promise 6": "Never more actions than the budget allows, and none that is destructive in a cascade.",
	"promise 7": "An old leader's or an old occupant's command has no effect.",
	"promise 8": "Every fact is in the ledger and in the audit chain; what was acknowledged outlives a crash.",
	"promise 9": "A drain never takes the last serving occupant.",

	"S1":  "A verdict names an observer quorum, of one roster epoch and one incarnation.",
	"S2":  "No verdict on a member that was up and reached by the majority.",
	"S3":  "One leader per term, and the same facts at the same index everywhere.",
	"S4":  "A slot has one unfenced occupant at most, a spare one slot at most.",
	"S5":  "Occupants, spares, claimed, quarantined and lost members add up to the roster.",
	"S6":  "Never more replacements than the window allows, and none while the brake holds.",
	"S7":  "Neither a single agent nor a minority of the council acts.",
	"S8":  "Slot epochs and incarnations only grow; an old verdict never strikes a new incarnation.",
	"S9":  "A flooded subdomain takes nothing from another, and nobody is throttled below its share.",
	"S10": "Queues are bounded, and messages stay within their budget even in a storm.",
	"S11": "Nothing acknowledged is lost when a minority crashes and comes back.",
	"S12": "The audit chain is whole: replayed, it gives the same state.",

	"L1": "Every dead member has a verdict, or the record that says why not.",
	"L2": "Every lost slot is served again, or its obstacle is named and people are told.",
	"L3": "All agents have the same roster.",
	"L4": "No suspicion stays open, and no living member stays condemned.",
	"L5": "The council has a leader.",
	"L6": "The brake is released, throttles are lifted, queues are empty.",
}

// invariant is a row of the table of invariants.
type invariant struct {
	Name, Sentence, Checked string
	Broken                  bool
}

func invariants(checks map[string]int, broken ...string) []invariant {
	var rows []invariant
	for _, name := range slices.SortedFunc(maps.Keys(checks), inOrder) {
		rows = append(rows, invariant{
			Name: name, Sentence: sentences[name], Checked: count(checks[name]),
			Broken: slices.Contains(broken, name),
		})
	}
	return rows
}

// rarity is a row of the table of what has to happen now and then.
type rarity struct {
	Name, Times string
	Never       bool
}

// rarities lists what never happened first: that is what the table is for.
func rarities(sometimes map[string]int) (rows []rarity, never int) {
	names := slices.SortedFunc(maps.Keys(sometimes), func(a, b string) int {
		x, y := min(sometimes[a], 1), min(sometimes[b], 1)
		return cmp.Or(cmp.Compare(x, y), naturally(a, b))
	})
	for _, name := range names {
		n := sometimes[name]
		rows = append(rows, rarity{Name: name, Times: count(n), Never: n == 0})
		if n == 0 {
			never++
		}
	}
	return rows, never
}

// inOrder puts safety first, then the promises that stand on their own, then
// liveness, then what is not known here.
func inOrder(a, b string) int {
	place := func(name string) int {
		switch head, _ := numbered(name); {
		case sentences[name] == "":
			return 3
		case head == "S":
			return 0
		case head == "L":
			return 2
		default:
			return 1
		}
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), naturally(a, b))
}

// naturally orders names so that S2 comes before S10.
func naturally(a, b string) int {
	ha, na := numbered(a)
	hb, nb := numbered(b)
	return cmp.Or(cmp.Compare(ha, hb), cmp.Compare(na, nb), cmp.Compare(a, b))
}

// numbered splits a number off the end of a name.
func numbered(name string) (head string, n int) {
	head = strings.TrimRight(name, "0123456789")
	n, _ = strconv.Atoi(name[len(head):])
	return head, n
}
