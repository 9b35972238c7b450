package status

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Sights are the votes that the council counted lately, for who asks who saw whom and
// when: those of each verdict of the last day, and of older ones that still stand. What
// an observer sees between two verdicts is not agreed on by anybody, and is not in here.
type Sights struct {
	AsOf     time.Time // nothing after it is known
	Begun    time.Time // and nothing before
	Verdicts []Verdict // oldest first
}

// How much is remembered: the votes of a day with 500 lost members, or of three verdicts on
// all of a fleet of 200.
const (
	sightsKept = 24 * time.Hour
	votesKept  = 20_000
	countsKept = 500
)

const sightPrefix = "verdict/"

func sightKey(index uint64) string { return fmt.Sprintf("%s%020d", sightPrefix, index) }

// see remembers the votes behind a verdict.
func (c *Chronicle) see(f consensus.Fact) {
	if f.Command.Kind != consensus.KindVerdict || !f.Accepted {
		return
	}
	v, err := consensus.DecodePayload[consensus.Verdict](f)
	if err != nil {
		return // agreed by all, readable by none
	}
	c.sights = append(slices.Clip(c.sights), verdictOf(f, v))
	c.changed[sightKey(f.Index)] = true
	c.unsee()
}

// unsee drops what is too old or too much. A verdict stays for as long as one of its
// findings is the last word about a member that is not well.
func (c *Chronicle) unsee() {
	later := map[member.ID]bool{}
	votes := 0
	var keep []Verdict
	for _, v := range slices.Backward(c.sights) {
		stands := false
		for _, x := range v.Findings {
			stands = stands || !later[x.Subject] && x.Kind != consensus.VerdictUp
			later[x.Subject] = true
			for _, t := range x.Tallies {
				votes += len(t.Votes)
			}
		}
		if votes > votesKept || len(keep) == countsKept || !stands && c.c.At.Sub(v.At) > sightsKept {
			c.changed[sightKey(v.Index)] = true
			continue
		}
		keep = append(keep, v)
	}
	if len(keep) < len(c.sights) {
		slices.Reverse(keep)
		c.sights = keep
	}
}

// Sights hands out what was seen, as far as asOf.
func (c *Chronicle) Sights(asOf time.Time) Sights {
	return Sights{AsOf: latest(whole(asOf), c.c.At), Begun: c.c.Begun, Verdicts: slices.Clip(c.sights)}
}

// ObserversDocument is what programs read of the matrix of observers.
type ObserversDocument struct {
	Schema   int        `json:"schema"`
	AsOf     time.Time  `json:"as_of"`
	At       time.Time  `json:"at"` // the moment that was asked for
	Subjects []Regarded `json:"subjects"`
	Live     *Live      `json:"live,omitempty"` // nil: of a moment that has passed
	// Then is what observers saw at the moment that has passed, by their own memory; nil: of
	// now, or they were not asked.
	Then *Live `json:"then,omitempty"`
	// Busy says why they were not: others look back at this time. Ask again in a second.
	Busy bool `json:"busy,omitempty"`
}

// Regard is what an observer said of a subject when the council last counted.
type Regard string

// The regards. Who was asked and said nothing that counts is silent.
const (
	RegardDown   Regard = "down"
	RegardUp     Regard = "up"
	RegardSilent Regard = "silent"
)

// Regarded is one subject that is not well, with what its observers said.
type Regarded struct {
	Subject member.ID             `json:"subject"`
	Kind    consensus.VerdictKind `json:"kind"`
	Verdict string                `json:"verdict"`
	At      time.Time             `json:"at"`
	By      []ObserverSaid        `json:"observers"` // those who say down first, then by name
}

// ObserverSaid is one observer's word.
type ObserverSaid struct {
	Observer member.ID `json:"observer"`
	Regard   Regard    `json:"regard"`
	Words    string    `json:"words"` // its reason and what it saw
}

// Down and Up count the words.
func (r Regarded) count(x Regard) (n int) {
	for _, s := range r.By {
		if s.Regard == x {
			n++
		}
	}
	return n
}

// Downs is how many observers say that it is down.
func (r Regarded) Downs() int { return r.count(RegardDown) }

// Ups is how many still reach it.
func (r Regarded) Ups() int { return r.count(RegardUp) }

// At tells how things stood at a moment: every subject that was under a verdict then,
// those that most observers called down first.
func (s Sights) At(at time.Time) []Regarded {
	last := map[member.ID]Regarded{}
	for _, v := range s.Verdicts {
		if v.At.After(at) {
			break
		}
		for _, x := range v.Findings {
			delete(last, x.Subject)
			if x.Kind != consensus.VerdictUp {
				last[x.Subject] = Regarded{Subject: x.Subject, Kind: x.Kind, Verdict: v.ID, At: v.At, By: saidOf(x)}
			}
		}
	}
	var out []Regarded
	for _, r := range last {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Regarded) int {
		return cmp.Or(cmp.Compare(b.Downs(), a.Downs()), cmp.Compare(a.Subject, b.Subject))
	})
	return out
}

// saidOf joins what each observer said of agent and service: a complaint about either
// is one.
func saidOf(f Finding) []ObserverSaid {
	said := map[member.ID]ObserverSaid{}
	for _, t := range f.Tallies {
		for _, v := range t.Votes {
			x := ObserverSaid{Observer: v.Observer, Regard: RegardSilent, Words: wordsOf(t, v)}
			switch v.Stance {
			case "down":
				x.Regard = RegardDown
			case "up":
				x.Regard = RegardUp
			}
			old, twice := said[v.Observer]
			if twice {
				x.Words = old.Words + "; " + x.Words
				if rank(old.Regard) > rank(x.Regard) {
					x.Regard = old.Regard
				}
			}
			said[v.Observer] = x
		}
	}
	var out []ObserverSaid
	for _, x := range said {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b ObserverSaid) int {
		return cmp.Or(cmp.Compare(rank(b.Regard), rank(a.Regard)), cmp.Compare(a.Observer, b.Observer))
	})
	return out
}

// wordsOf says why somebody voted so.
func wordsOf(t Tally, v Vote) string {
	words := t.Of + ": " + cmp.Or(string(v.Reason), v.Stance)
	if v.Evidence != "" {
		words += ", " + v.Evidence
	}
	return words
}

func rank(r Regard) int {
	switch r {
	case RegardDown:
		return 2
	case RegardUp:
		return 1
	default:
		return 0
	}
}
