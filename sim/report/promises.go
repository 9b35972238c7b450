package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"moonwatch/sim"
)

// catalogue is a list of names that the simulator shows people in an order of
// its own, each with a sentence.
type catalogue struct {
	place map[string]int
	says  map[string]string
}

func (c *catalogue) add(name, says string) {
	if c.place == nil {
		c.place, c.says = map[string]int{}, map[string]string{}
	}
	c.place[name] = len(c.place)
	first, size := utf8.DecodeRuneInString(says)
	c.says[name] = string(unicode.ToUpper(first)) + says[size:] + "."
}

// order puts what the catalogue does not know behind the rest.
func (c *catalogue) order(a, b string) int {
	place := func(name string) int {
		if i, known := c.place[name]; known {
			return i
		}
		return len(c.place)
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), naturally(a, b))
}

var promises, rare = func() (p, r catalogue) {
	for _, x := range append(sim.Promises(), sim.LivenessPromises()...) {
		p.add(x.Name, x.Says)
	}
	for _, x := range sim.Rarities() {
		r.add(x.Name, x.Says)
	}
	return p, r
}()

// invariant is a row of the table of invariants.
type invariant struct {
	Name, Sentence, Checked string
	Broken                  bool
}

func invariants(checks map[string]int, broken ...string) []invariant {
	var rows []invariant
	for _, name := range slices.SortedFunc(maps.Keys(checks), promises.order) {
		rows = append(rows, invariant{
			Name: name, Sentence: promises.says[name], Checked: count(checks[name]),
			Broken: slices.Contains(broken, name),
		})
	}
	return rows
}

// rarity is a row of the table of what has to happen now and then.
type rarity struct{ Name, Sentence, Times string }

// rarities lists what happened, and what never did.
func rarities(sometimes map[string]int) (rows, never []rarity) {
	for _, name := range slices.SortedFunc(maps.Keys(sometimes), rare.order) {
		x := rarity{name, rare.says[name], count(sometimes[name])}
		if sometimes[name] == 0 {
			never = append(never, x)
			continue
		}
		rows = append(rows, x)
	}
	return rows, never
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
