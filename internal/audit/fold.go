package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"moonwatch/consensus"
	"moonwatch/mind"
)

// A whole ledger is what facts add up to. So whoever has the facts can add them up once
// more, by the decisions of this build, and hold the two against each other: what was
// edited in a whole ledger is found by what it says, also where its checksum was put right
// and its place in the chain is as it was.

// Whole is what a ledger says that stands, at a place of the chain. The zero value is that
// of no facts.
type Whole struct {
	Of      string // whose: the name of a file
	At      Head
	Content []byte // as consensus.Ledger writes it; nil: of no facts, or not known
}

// WholeOf reads at which place of the chain a whole ledger stands, and nothing else of it.
func WholeOf(of string, content []byte) (Whole, error) {
	var s struct {
		State struct {
			Head uint64 `json:"head"`
			Hash []byte `json:"hash"`
		} `json:"state"`
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return Whole{}, fmt.Errorf("whole ledger of %s: %w", of, err)
	}
	if s.State.Head == 0 || len(s.State.Hash) != len(Hash{}) {
		return Whole{}, fmt.Errorf("whole ledger of %s: fact %d with a hash of %d bytes", of, s.State.Head, len(s.State.Hash))
	}
	return Whole{of, Head{s.State.Head, Hash(s.State.Hash)}, content}, nil
}

// Folding tells how a whole ledger was folded anew, or why it was not.
type Folding struct {
	Whole  string `json:"whole"`             // whose
	At     uint64 `json:"at"`                // the last fact in it
	First  uint64 `json:"first,omitempty"`   // the first fact that was folded; above At: both end with the same one
	Onto   string `json:"onto,omitempty"`    // whose whole ledger of before they were folded onto; empty: onto nothing
	OntoAt uint64 `json:"onto_at,omitempty"` // the last fact in that one
	Agrees bool   `json:"agrees"`
	Not    string `json:"not,omitempty"` // why nothing was folded
}

// foldAnew folds the facts of a source and of the files beside it, as far back as they are
// there, and holds the whole ledger of the source against what they add up to, and against
// those of the files.
func (s Source) foldAnew(witnesses []Witness) (out []Folding, breaks []Break) {
	switch {
	case s.NotWhole != "":
		return []Folding{{Whole: s.Name, Not: s.NotWhole}}, nil
	case s.Content == nil:
		return nil, nil
	}
	own := Whole{s.Name, s.Whole, s.Content}
	if _, err := contentOf(own); err != nil {
		if errors.Is(err, errUnknown) {
			return []Folding{{Whole: own.Of, At: own.At.Index, Not: err.Error()}}, nil
		}
		return nil, []Break{{What: "damaged", Detail: fmt.Sprintf("the whole ledger as of fact %d cannot be read: %v", own.At.Index, err)}}
	}
	chains := [][]Link{s.Links, founding(own)}
	var others []Whole
	for _, w := range witnesses {
		if f, is := w.(File); is {
			chains = append(chains, f.Links, founding(f.Whole))
			others = append(others, f.Whole)
		}
	}
	hold := func(from, to Whole) bool {
		facts, _, err := between(from.At, to.At, chains)
		if err != nil {
			if from.Content != nil { // it was named, so it is said why it is of no use
				out = append(out, Folding{Whole: to.Of, At: to.At.Index, Onto: from.Of, OntoAt: from.At.Index, Not: err.Error()})
			}
			return false
		}
		f, b := compare(from, facts, to)
		out = append(out, f)
		if b != nil && len(breaks) == 0 { // one edit shows in each comparison
			breaks = append(breaks, *b)
		}
		return true
	}
	done := hold(Whole{}, own)
	for _, other := range others {
		switch {
		case other.Content == nil:
		case other.At.Index <= own.At.Index:
			done = hold(other, own) || done
		default:
			done = hold(own, other) || done
		}
	}
	if !done {
		_, at, err := between(Head{}, own.At, chains)
		out = append([]Folding{{Whole: own.Of, At: own.At.Index, Not: err.Error()}}, out...)
		if first := founding(own); at.Index == 1 && len(first) > 0 {
			breaks = append(breaks, foundedOtherwise(own, first[0], at))
		}
	}
	return out, breaks
}

// founding is the first fact, as a whole ledger tells it; none if it does not. It has no
// time, so that all founders write the same, and is the first that is dropped for its age;
// here it is written once more. Its hash says whether it is the one that the second fact
// follows.
func founding(w Whole) []Link {
	var s struct {
		State struct {
			Genesis *consensus.Genesis `json:"genesis"`
		} `json:"state"`
	}
	if json.Unmarshal(w.Content, &s) != nil || s.State.Genesis == nil {
		return nil
	}
	f, err := consensus.NewLedger().Found(*s.State.Genesis)
	if err != nil {
		return nil
	}
	return []Link{LinkOf(f)}
}

// foundedOtherwise says that the founding in a whole ledger is not the one that the second
// fact follows, at this place of the chain.
func foundedOtherwise(w Whole, first Link, at Head) Break {
	return Break{
		Fact: w.At.Index, What: "differs", About: w.Of, Record: "the founding of the cluster",
		Found: "fact 1 with the hash " + first.Hash.String(), Expected: "fact 1 with the hash " + at.Hash.String(), Says: []string{"fact 2"},
		Detail: edited + otherwise,
	}
}

// What a difference comes of.
const (
	edited    = "it was edited"
	oneEdited = "one of the two was edited"
	otherwise = ", or written by builds that judged these facts otherwise than this one does"
)

// between collects the facts that lead from one place of the chain to another, from
// wherever they are: each is the one that the next one follows. With an error it says how far
// back it came.
func between(from, to Head, chains [][]Link) (facts []Link, at Head, err error) {
	for at = to; at.Index > from.Index; {
		l, there := find(at, chains)
		if !there {
			return nil, at, fmt.Errorf("facts %d to %d are not all there, or not as they were agreed", from.Index+1, at.Index)
		}
		facts = append(facts, l)
		at = Head{l.Index - 1, l.Prev}
	}
	if at != from {
		return nil, at, fmt.Errorf("fact %d is another one in the two", from.Index)
	}
	slices.Reverse(facts) // the last one was found first
	return facts, at, nil
}

// find is the fact at a place of the chain.
func find(at Head, chains [][]Link) (Link, bool) {
	for _, links := range chains {
		i, there := indexOf(links, at.Index)
		if there && links[i].damage == "" && Hash(links[i].fact().Hash) == at.Hash {
			return links[i], true
		}
	}
	return Link{}, false
}

// compare folds facts onto a whole ledger, and holds another one against the outcome.
func compare(from Whole, facts []Link, to Whole) (Folding, *Break) {
	f := Folding{Whole: to.Of, At: to.At.Index, First: from.At.Index + 1, Onto: from.Of, OntoAt: from.At.Index}
	expected, err := fold(from, facts)
	if err != nil {
		f.First, f.Not = 0, err.Error()
		return f, nil
	}
	found, err := contentOf(to)
	if err != nil {
		f.First, f.Not = 0, fmt.Sprintf("the whole ledger of %s: %v", to.Of, err)
		return f, nil
	}
	all := differences(found, expected)
	if f.Agrees = len(all) == 0; f.Agrees {
		return f, nil
	}
	says, detail := []string{fmt.Sprintf("facts %d to %d", f.First, f.At)}, edited+otherwise
	if f.First > f.At {
		says = nil
	}
	if from.Content != nil {
		says = append(says, fmt.Sprintf("the whole ledger as of fact %d of %s", f.OntoAt, f.Onto))
		detail = oneEdited + otherwise
	}
	b := all[0]
	return f, &Break{
		Fact: to.At.Index, What: "differs", About: to.Of, Record: b.record, Field: b.field,
		Found: b.found, Expected: b.expected, More: len(all) - 1, Says: says,
		Detail: detail,
	}
}

// errUnknown says that a ledger holds what this build does not know.
var errUnknown = errors.New("a newer build wrote it")

// fold is what facts make of a whole ledger, as an agent folds them.
func fold(from Whole, facts []Link) (any, error) {
	l := mind.NewFold().Ledger
	if from.Content != nil {
		if err := l.Restore(from.Content); err != nil {
			return nil, err
		}
	}
	for _, x := range facts {
		f := x.fact()
		var err error
		if f.Command, err = consensus.DecodeCommand(f.Bytes); err != nil {
			return nil, fmt.Errorf("fact %d: %w", f.Index, err)
		}
		if _, _, err = l.Follow(f); err != nil {
			return nil, err
		}
		if why := l.Blocked(); why != "" {
			return nil, fmt.Errorf("%w: %s", errUnknown, why)
		}
	}
	return plain(l)
}

// contentOf is what a whole ledger says, as far as this build reads it.
func contentOf(w Whole) (any, error) {
	l := mind.NewFold().Ledger
	if err := l.Restore(w.Content); err != nil {
		return nil, err
	}
	if why := l.Blocked(); why != "" {
		return nil, fmt.Errorf("%w: %s", errUnknown, why)
	}
	return plain(l)
}

// plain is what a ledger says, as values that can be compared. It is written, read and
// written once more: what reading fills in is in all of them. The last entry of raft's log
// is left out, for a repeated command moves it on without a fact.
func plain(l *consensus.Ledger) (any, error) {
	b, err := l.Snapshot()
	if err != nil {
		return nil, err
	}
	again := mind.NewFold().Ledger
	if err := again.Restore(b); err != nil {
		return nil, err
	}
	if b, err = again.Snapshot(); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // indices are longer than a float
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if state, is := v["state"].(map[string]any); is {
		delete(state, "raft")
	}
	return v, nil
}
