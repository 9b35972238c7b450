package consensus

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/member"
)

// Mark is a place in the audit chain.
type Mark struct {
	Index uint64 `json:"index"`
	Hash  []byte `json:"hash"`
}

// Survivor is what the disk of one member holds that is left when most of the
// council is lost.
type Survivor struct {
	Cluster   string    `json:"cluster"`
	Member    member.ID `json:"member"`
	Disk      string    `json:"disk"` // identity of its ledger's file
	Seat      uint64    `json:"seat"` // that it holds in the council of its ledger, 0: none
	Refounded uint64    `json:"refounded"`

	Agreed Mark   `json:"agreed"` // the last fact that was surely agreed on
	Log    Mark   `json:"log"`    // the last one if what raft's log has beyond it counts
	Raft   uint64 `json:"raft"`   // index of that log's last entry
	In     uint64 `json:"in"`     // term of that entry
	Term   uint64 `json:"term"`   // the highest that it knows
	Seats  Seats  `json:"seats"`  // the council, as of Log

	Sitters    map[member.ID]member.FailureDomain `json:"sitters"`    // who may sit in the council, as of Log
	Marks      []Mark                             `json:"marks"`      // the last places of its chain up to Log, oldest first
	Remembered Mark                               `json:"remembered"` // the last head that its agent remembers, which may be further than its ledger
}

// passes reports whether the survivor's chain goes through a place; known is false
// where it no longer remembers.
func (s Survivor) passes(m Mark) (same, known bool) {
	i, ok := slices.BinarySearchFunc(s.Marks, m.Index, func(x Mark, index uint64) int { return cmp.Compare(x.Index, index) })
	if !ok {
		return false, false
	}
	return bytes.Equal(s.Marks[i].Hash, m.Hash), true
}

// tail is how many facts of its raft log nobody said to be agreed.
func (s Survivor) tail() uint64 { return s.Log.Index - s.Agreed.Index }

// quorate reports that the council still has a quorum among the survivors.
func quorate(s Seats, held map[uint64]bool) bool {
	for _, list := range [][]Seat{s.Voters, s.Outgoing} {
		n := 0
		for _, x := range list {
			if held[x.ID] {
				n++
			}
		}
		if len(list) > 0 && 2*n <= len(list) {
			return false
		}
	}
	return true
}

// aboveOldTerms is how far above all known terms a new council begins: those that
// are lost may have held elections of which no survivor heard.
const aboveOldTerms = 1000

// PlanRefounding works out a new council from what survived. Council names its
// members, the one whose ledger it shall be or anybody; empty: as many as before, or
// the most that can be, spread over failure domains. What people should know before
// they sign is in the warnings.
func PlanRefounding(survivors []Survivor, council []member.ID, now time.Time) (RefoundPlan, []string, error) {
	survivors = slices.Clone(survivors)
	slices.SortFunc(survivors, func(a, b Survivor) int { return cmp.Compare(a.Member, b.Member) })
	if err := checkSurvivors(survivors); err != nil {
		return RefoundPlan{}, nil, err
	}
	c := chooser{survivors: survivors}
	best, err := c.best()
	if err != nil {
		return RefoundPlan{}, nil, err
	}
	held := map[uint64]bool{}
	for _, s := range survivors {
		held[s.Seat] = s.Seat != 0
	}
	if quorate(best.Seats, held) {
		return RefoundPlan{}, nil, fmt.Errorf("councillors %s are left: that is a quorum, so start their agents; nothing has to be founded anew",
			names(seatedOf(best.Seats, held)))
	}
	p := RefoundPlan{
		Cluster: best.Cluster, Number: best.Refounded + 1, Bearer: best.Member, Head: best.Log.Index, Hash: best.Log.Hash,
		Raft: best.Raft + 1, Time: now.UTC().Truncate(time.Second),
	}
	for _, s := range survivors {
		p.Term = max(p.Term, s.Term+aboveOldTerms)
	}
	for _, s := range slices.Concat(best.Seats.Voters, best.Seats.Outgoing) {
		if !held[s.ID] && !slices.Contains(p.Lost, s.Member) {
			p.Lost = append(p.Lost, s.Member)
		}
	}
	slices.Sort(p.Lost)
	if p.Council, err = c.council(best, council); err != nil {
		return RefoundPlan{}, nil, err
	}
	return p, c.warn(best, p), nil
}

func checkSurvivors(survivors []Survivor) error {
	if len(survivors) == 0 {
		return errors.New("no survivor: want what 'moonwatch council recover survey' wrote on each of them")
	}
	for i, s := range survivors {
		switch first := survivors[0]; {
		case s.Cluster != first.Cluster:
			return fmt.Errorf("%s is of cluster %s, %s of %s", s.Member, s.Cluster, first.Member, first.Cluster)
		case i > 0 && survivors[i-1].Member == s.Member:
			return fmt.Errorf("%s was surveyed twice: leave out the older one", s.Member)
		case s.Log.Index < s.Agreed.Index || len(s.Log.Hash) != len(Hash{}):
			return fmt.Errorf("what is said of %s is garbled: survey it again", s.Member)
		}
	}
	return nil
}

// chooser chooses among survivors.
type chooser struct{ survivors []Survivor }

// best is whose ledger goes on: the one that has most, that contradicts nothing which
// another one knows to be agreed, and whose member may sit in the council.
func (c chooser) best() (Survivor, error) {
	var best *Survivor
	var no []string
	agreed := uint64(0)
	for _, s := range c.survivors {
		agreed = max(agreed, s.Agreed.Index)
	}
	for i, s := range c.survivors {
		if why := c.unfit(s); why != "" {
			no = append(no, fmt.Sprintf("%s: %s", s.Member, why))
			continue
		}
		if best == nil || fresher(s, *best, agreed) {
			best = &c.survivors[i]
		}
	}
	if best == nil {
		return Survivor{}, fmt.Errorf("no survivor's ledger can go on:\n  %s", strings.Join(no, "\n  "))
	}
	return *best, nil
}

func (c chooser) unfit(s Survivor) string {
	if _, may := s.Sitters[s.Member]; !may {
		return "it may not sit in the council: want council: allowed in fleet.yaml"
	}
	if s.Disk == "" {
		return "its ledger's file has no identity, it is of an early build"
	}
	for _, x := range c.survivors {
		switch same, known := s.passes(x.Agreed); {
		case s.Refounded < x.Refounded:
			return fmt.Sprintf("its ledger is of before refounding %d, which %s has", x.Refounded, x.Member)
		case s.Refounded == x.Refounded && known && !same:
			return fmt.Sprintf("its fact %d is not the one that %s knows to be agreed", x.Agreed.Index, x.Member)
		}
	}
	return ""
}

// fresher compares as raft does where logs go beyond what is known to be agreed: the
// later term wins, for an older one may have been overwritten.
func fresher(a, b Survivor, agreed uint64) bool {
	if a.Log.Index > agreed && b.Log.Index > agreed && a.In != b.In {
		return a.In > b.In
	}
	return a.Log.Index > b.Log.Index
}

// council seats the new councillors.
func (c chooser) council(best Survivor, want []member.ID) ([]Seat, error) {
	if len(want) == 0 {
		want = c.spread(best)
	}
	var out []Seat
	for _, id := range slices.Sorted(slices.Values(want)) {
		i := slices.IndexFunc(c.survivors, func(s Survivor) bool { return s.Member == id })
		_, may := best.Sitters[id]
		switch {
		case i < 0:
			return nil, fmt.Errorf("councillor %s was not surveyed: its disk has to be known", id)
		case !may:
			return nil, fmt.Errorf("councillor %s may not sit in the council: want council: allowed in fleet.yaml", id)
		case c.survivors[i].Disk == "":
			return nil, fmt.Errorf("councillor %s: its ledger's file has no identity, it is of an early build: move it away and start the agent once", id)
		case slices.ContainsFunc(out, func(s Seat) bool { return s.Member == id }):
			return nil, fmt.Errorf("councillor %s is named twice", id)
		}
		out = append(out, Seat{ID: best.Seats.Next + uint64(len(out)), Member: id, Disk: c.survivors[i].Disk})
	}
	switch {
	case len(out)%2 == 0 || len(out) > 7:
		return nil, fmt.Errorf("a council of %d, want 1, 3, 5 or 7", len(out))
	case !slices.ContainsFunc(out, func(s Seat) bool { return s.Member == best.Member }):
		return nil, fmt.Errorf("the council has to hold %s, whose ledger goes on", best.Member)
	}
	return out, nil
}

// spread takes as many as there were, or the most that can be, with the fewest in any
// failure domain.
func (c chooser) spread(best Survivor) []member.ID {
	out, crowd := []member.ID{best.Member}, map[member.FailureDomain]int{best.Sitters[best.Member]: 1}
	var rest []member.ID
	for _, s := range c.survivors {
		if _, may := best.Sitters[s.Member]; may && s.Disk != "" && s.Member != best.Member {
			rest = append(rest, s.Member)
		}
	}
	for len(out) < len(best.Seats.Voters) && len(rest) > 0 {
		next := slices.MinFunc(rest, func(a, b member.ID) int { return crowd[best.Sitters[a]] - crowd[best.Sitters[b]] })
		crowd[best.Sitters[next]]++
		out = append(out, next)
		rest = slices.DeleteFunc(rest, func(id member.ID) bool { return id == next })
	}
	if len(out)%2 == 0 {
		out = out[:len(out)-1]
	}
	return out
}

// warn names what a plan may lose.
func (c chooser) warn(best Survivor, p RefoundPlan) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if n := best.tail(); n > 0 {
		say("the last %d facts of %s stand in its raft log alone: they count as agreed, for they may have been", n, best.Member)
	}
	for _, s := range c.survivors {
		if known := max(s.Log.Index, s.Remembered.Index); s.Member != best.Member && known > best.Log.Index {
			say("%s knows of facts up to %d, the new council goes on after %d: what lies between is lost", s.Member, known, best.Log.Index)
			continue
		}
		if same, known := best.passes(s.Agreed); s.Member != best.Member && known && !same || s.Refounded < best.Refounded {
			say("%s has another ledger and cannot follow: move its ledger.db and heads away before its agent starts", s.Member)
		} else if !known && s.Agreed.Index > 0 {
			say("the ledger of %s ends with fact %d, too far back to be compared", s.Member, s.Agreed.Index)
		}
	}
	if best.Remembered.Index > best.Log.Index {
		say("%s itself remembers fact %d, its ledger ends with %d: what lies between is lost", best.Member, best.Remembered.Index, best.Log.Index)
	}
	if n := len(p.Council); n < len(best.Seats.Voters) {
		say("the council had %d, the new one has %d: it stays that small, and %d of them may be lost", len(best.Seats.Voters), n, (n-1)/2)
	}
	return out
}

func seatedOf(s Seats, held map[uint64]bool) []member.ID {
	return holders(slices.DeleteFunc(slices.Clone(s.Voters), func(x Seat) bool { return !held[x.ID] }))
}

func names(ids []member.ID) string {
	var b []string
	for _, id := range ids {
		b = append(b, string(id))
	}
	return strings.Join(b, ", ")
}
