package audit

import (
	"cmp"
	"fmt"
	"slices"
)

// Witness remembers heads: an agent, or a file of one.
type Witness interface {
	Name() string
	// Heads gives heads that it remembers between two facts, evenly spread where
	// there are many, the last one among them.
	Heads(from, to uint64) ([]Head, error)
}

// Remembered is a witness whose heads are at hand.
type Remembered struct {
	Who  string
	List []Head // by index
}

// Name is who remembers.
func (r Remembered) Name() string { return r.Who }

// Heads are all of them.
func (r Remembered) Heads(from, to uint64) ([]Head, error) {
	at := func(i uint64) int {
		n, _ := slices.BinarySearchFunc(r.List, i, func(h Head, i uint64) int { return cmp.Compare(h.Index, i) })
		return n
	}
	if to < from {
		return nil, nil
	}
	return r.List[at(from):at(to+1)], nil
}

// Report says whether a chain holds.
type Report struct {
	OK        bool        `json:"ok"`
	First     uint64      `json:"first"` // facts before it are not kept there; its prev is their head
	Head      uint64      `json:"head"`
	Hash      Hash        `json:"hash"` // of the head, computed
	Facts     int         `json:"facts"`
	Whole     *Head       `json:"whole,omitempty"` // of a whole ledger that stands without the facts before
	Breaks    []Break     `json:"breaks,omitempty"`
	Witnesses []Testimony `json:"witnesses,omitempty"`
	Folded    []Folding   `json:"folded,omitempty"` // the whole ledger, held against the facts
}

// Break is one place at which the chain is not what was agreed.
type Break struct {
	Fact     uint64   `json:"fact"`
	What     string   `json:"what"`               // edited, missing, rewritten; differs: a whole ledger, from its facts
	About    string   `json:"about,omitempty"`    // what the fact is about, or whose whole ledger it is
	Record   string   `json:"record,omitempty"`   // of a whole ledger: what differs, in words
	Field    string   `json:"field,omitempty"`    // and which field of it; empty: it is there once only
	Found    string   `json:"found,omitempty"`    // the hash that its bytes have, or what the field says
	Expected string   `json:"expected,omitempty"` // the one that was agreed, or what the facts make of the field
	More     int      `json:"more,omitempty"`     // so many more fields differ
	Says     []string `json:"says,omitempty"`     // who says so
	Detail   string   `json:"detail,omitempty"`
}

// Testimony is what one witness remembers.
type Testimony struct {
	Member   string `json:"member"`
	Head     uint64 `json:"head,omitempty"`    // the last fact of these that it remembers, 0: none
	Agrees   bool   `json:"agrees"`            // with all that it remembers
	AgreesTo uint64 `json:"agrees_to"`         // the last fact up to which it remembers the same
	Differs  uint64 `json:"differs,omitempty"` // the first one of which it remembers another head
	Expected string `json:"expected,omitempty"`
	Unheard  string `json:"unheard,omitempty"` // why it could not be asked
}

// Verify computes the chain anew and holds it against itself and against what
// witnesses remember. Without facts there is nothing to be held, and nothing is
// shown: that is not OK.
func Verify(links []Link, witnesses []Witness) Report {
	r := Report{Facts: len(links)}
	if len(links) == 0 {
		return r
	}
	sums := make([]Hash, len(links))
	for i, l := range links {
		sums[i] = Hash(l.fact().Hash)
	}
	last := len(links) - 1
	r.First, r.Head, r.Hash = links[0].Index, links[last].Index, sums[last]
	for i, l := range links {
		if b, bad := look(links, sums, i, l); bad {
			r.Breaks = append(r.Breaks, b)
		}
	}
	for _, w := range witnesses {
		r.Witnesses = append(r.Witnesses, hear(w, links, sums))
	}
	r.weigh(links, sums)
	r.OK = len(r.Breaks) == 0
	return r
}

// indexOf is the place of a fact among links.
func indexOf(links []Link, fact uint64) (int, bool) {
	return slices.BinarySearchFunc(links, fact, func(l Link, i uint64) int { return cmp.Compare(l.Index, i) })
}

// look holds one fact against its own record and against the next one, which says
// what it follows.
func look(links []Link, sums []Hash, i int, l Link) (Break, bool) {
	b := Break{Fact: l.Index, What: "edited", About: l.kind(), Found: sums[i].String()}
	var next *Link
	if i+1 < len(links) {
		next = &links[i+1]
	}
	switch {
	case next != nil && next.Index != l.Index+1:
		b.Fact, b.What, b.About, b.Found = l.Index+1, "missing", "", ""
		b.Detail = fmt.Sprintf("fact %d stands behind fact %d", next.Index, l.Index)
		return b, true
	case l.damage != "":
		b.Detail = l.damage
		if next != nil && next.damage == "" && next.Prev == sums[i] {
			b.Detail += "; the fact itself is as it was agreed"
		}
		if l.unreadable() {
			b.Found = ""
		}
		if next != nil && next.damage == "" {
			b.Expected, b.Says = next.Prev.String(), []string{fmt.Sprintf("fact %d", next.Index)}
		}
		return b, true
	case l.Hash != (Hash{}) && l.Hash != sums[i]:
		b.Expected, b.Says = l.Hash.String(), []string{"its own line"}
		if next != nil && next.damage == "" && next.Prev == l.Hash {
			b.Says = append(b.Says, fmt.Sprintf("fact %d", next.Index))
		}
		return b, true
	case next != nil && next.damage == "" && next.Prev != sums[i]:
		b.Expected, b.Says = next.Prev.String(), []string{fmt.Sprintf("fact %d", next.Index)}
		return b, true
	}
	return b, false
}

// hear finds the first fact of which a witness remembers another head. Its heads may
// be few at first: it is asked again for those in between.
func hear(w Witness, links []Link, sums []Hash) Testimony {
	t := Testimony{Member: w.Name()}
	first, last := links[0].Index, links[len(links)-1].Index
	sum := func(i uint64) (Hash, bool) {
		n, ok := indexOf(links, i)
		if !ok || links[n].unreadable() {
			return Hash{}, false
		}
		return sums[n], true
	}
	from, to := first, last
	const rounds = 8 // of a thousand heads each
	for range rounds {
		heads, err := w.Heads(from, to)
		if err != nil {
			t.Unheard = err.Error()
			return t
		}
		before := t.Differs
		for _, h := range heads {
			t.Head = max(t.Head, h.Index)
			have, ok := sum(h.Index)
			switch {
			case !ok:
			case have == h.Hash:
				t.AgreesTo = max(t.AgreesTo, h.Index)
			case t.Differs == 0 || h.Index < t.Differs:
				t.Differs, t.Expected = h.Index, h.Hash.String()
			}
		}
		if t.Differs == 0 || t.Differs == before || t.Differs <= t.AgreesTo+1 {
			break
		}
		from, to = max(first, t.AgreesTo+1), t.Differs-1
		if from > to {
			break
		}
	}
	t.Agrees = t.Differs == 0
	return t
}

// weigh adds what only witnesses know: that the chain holds together and is not
// the one that was agreed; and it names them beside the breaks that they confirm.
func (r *Report) weigh(links []Link, sums []Hash) {
	for _, t := range r.Witnesses {
		if t.Unheard != "" || t.Agrees {
			continue
		}
		i := slices.IndexFunc(r.Breaks, func(b Break) bool {
			return b.Fact == t.Differs || b.What == "rewritten" && b.Fact <= t.Differs || b.Fact < t.Differs && b.Fact > t.AgreesTo
		})
		if i < 0 {
			n, _ := indexOf(links, t.Differs)
			r.Breaks = append(r.Breaks, Break{
				Fact: t.Differs, What: "rewritten", About: links[n].kind(), Found: sums[n].String(), Expected: t.Expected,
				Detail: "it and what follows it hold together, and are not what was agreed",
			})
			i = len(r.Breaks) - 1
		}
		b := &r.Breaks[i]
		if b.Expected == "" && t.Differs == b.Fact {
			b.Expected = t.Expected
		}
		b.Says = append(b.Says, t.Member)
	}
	slices.SortStableFunc(r.Breaks, func(a, b Break) int { return cmp.Compare(a.Fact, b.Fact) })
}
