package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Input is what a Page is built from. Ledger, State and History are read
// during Build and not kept.
type Input struct {
	Now     time.Time
	Self    member.ID
	Console bool // Self is in no roster by intent
	Version string

	Ledger  *consensus.Ledger
	State   *failover.State
	History *History

	Mode      failover.Mode // as this agent sees it: isolated is nowhere in the ledger
	ModeSince time.Time     // for isolated: when the council was last heard
	Leader    member.ID     // empty: none known
	Term      uint64
	Quorum    bool

	CouncilWaits string // why a lost councillor is not swapped; known to the leader only

	Accused []member.ID // in trouble and under no verdict yet; known to the leader only

	Unconfirmed []*failover.Hold // heard of, and no facts

	View  []Seen
	Stats []Stat
}

// Seen is one agent as this agent's gossip sees it.
type Seen struct {
	Name  member.ID
	Addr  string
	Alive bool
	Key   []byte    // of its certificate; empty: this agent has not met it
	Ends  time.Time // of its certificate
	Says  time.Time // what its agent itself says of that; zero: nothing, as builds of before do
	Mute  bool      // its agent says that it has nothing to tell people: its ledger is blocked
}

// Build makes the page of this moment. The same input gives the same page.
func Build(in Input) Page {
	l := in.Ledger
	p := Page{
		Schema: Schema, Now: in.Now.UTC(), Cluster: l.Cluster(),
		Self: Self{
			Name: in.Self, Version: in.Version,
			Console: in.Console, Listed: l.Roster().Index(in.Self) >= 0, Councillor: l.Councillor(in.Self),
		},
		Mode:      modeOf(in),
		Council:   council(in),
		Knowledge: knowledgeOf(in),
		Budget:    budgetOf(in),
		Holds:     holdsOf(in),
		Requests:  requestsOf(in),
		Slots:     slotsOf(in),
		Members:   membersOf(in),
		Unlisted:  unlistedOf(in),
		Doors:     doorsOf(in),
		Scores:    scoresOf(in),
		Drill:     in.State.Drill(),
		Cases:     casesOf(in),
		Verdicts:  in.History.verdicts,
		Facts:     in.History.lines,
		Withdrawn: withdrawn(l),
		Stats:     slices.Clone(in.Stats),
	}
	p.Pools = poolsOf(in, p)
	p.Headline = headline(p)
	return p
}

func modeOf(in Input) Mode {
	brake := in.State.Brake()
	m := Mode{Name: in.Mode, Means: means(in.Mode), Since: in.ModeSince.UTC()}
	if in.Mode == failover.Isolated {
		m.Why = "this agent hears of no council quorum"
		m.Ends = "a council quorum is heard again, and its roll calls agree"
	} else {
		f := brake.In(failover.Fleet)
		m.Why, m.Ends, m.Open = f.Why, f.Ends, slices.Clone(f.Open)
	}
	for _, s := range slices.Sorted(maps.Keys(brake.Modes)) {
		if x := brake.Modes[s]; s != failover.Fleet {
			m.Scopes = append(m.Scopes, Scope{Scope: s, Name: x.Mode, Since: x.Since, Why: x.Why, Ends: x.Ends})
		}
	}
	return m
}

// knowledgeOf says how old the ledger's copy may be: while the council is heard
// it is current, even if no fact has come for days.
func knowledgeOf(in Input) Knowledge {
	l := in.Ledger
	k := Knowledge{
		Head: l.Head(), Hash: l.HeadHash().String(), LastFact: l.Time().UTC(),
		Current: in.Quorum, AsOf: in.Now.UTC(), Blocked: l.Blocked(),
	}
	if !in.Quorum && !in.ModeSince.IsZero() {
		k.AsOf = in.ModeSince.UTC()
	}
	return k
}

// budgetOf counts what the ledger's gate counts: cases that reached fencing.
func budgetOf(in Input) Budget {
	fly, spend := failover.BudgetOf(in.Ledger.Roster().Len())
	window := timingOf(in.Ledger).BudgetWindow
	b := Budget{InFlight: in.State.InFlight(), MayFly: fly, MaySpend: spend, WindowSeconds: window.Seconds()}
	for _, c := range in.State.Cases() {
		for _, x := range c.History {
			if x.State == failover.Fencing && in.Now.Sub(x.At) < window {
				b.Spent++
			}
		}
	}
	return b
}

func timingOf(l *consensus.Ledger) failover.Timing {
	if f := l.Fleet(); f != nil {
		return failover.TimingOf(f.Profile)
	}
	return failover.TimingOf("")
}

func slotsOf(in Input) []Slot {
	out := []Slot{}
	for _, s := range in.State.Slots() {
		x := Slot{
			ID: s.ID, Pool: s.Pool, Occupant: s.Occupant, Epoch: s.Epoch, Since: s.Since,
			Drained: s.Drained, Away: s.Away, Vacated: s.Vacated, State: slotState(in.Ledger, s),
		}
		if s.Case != 0 {
			x.Case = caseID(s.Case)
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b Slot) int { return cmp.Compare(a.Pool, b.Pool) })
	return out
}

// slotState weighs who is in the slot and whether traffic goes there. A lost
// agent or a bad link leaves the service where it is: such a slot serves.
func slotState(l *consensus.Ledger, s *failover.Slot) SlotState {
	v, stands := l.Standing(s.Occupant)
	switch {
	case s.Occupant == "":
		return SlotVacant
	case !s.Started:
		return SlotStarting
	case s.Drained:
		return SlotDrained
	case stands && v.Kind != consensus.VerdictAgentLost && v.Kind != consensus.VerdictPartial:
		return SlotTrouble
	default:
		return SlotServing
	}
}

func membersOf(in Input) []Member {
	l := in.Ledger
	seen := map[member.ID]Seen{}
	for _, s := range in.View {
		seen[s.Name] = s
	}
	busy := busyWith(in.State)
	out := []Member{}
	for _, m := range l.Roster().Members {
		u := in.State.Use(m.ID)
		x := Member{
			ID: m.ID, Domain: m.Domain, Pool: in.State.PoolOf(m.ID), Duty: u.Duty, Slot: u.Slot, Case: busy[m.ID],
			Accused: slices.Contains(in.Accused, m.ID),
			// An agent does not doubt that it is there itself.
			InView: seen[m.ID].Alive || m.ID == in.Self, Addr: seen[m.ID].Addr, Mute: seen[m.ID].Mute,
			Councillor: l.Councillor(m.ID), Leader: m.ID == in.Leader,
			Falls: l.Record(m.ID).Downs, Strikes: in.State.Strikes(in.Now, m.ID),
			Leftover:  slices.Sorted(maps.Keys(u.Leftover)),
			Observers: l.Overlay().ObserversOf(m.ID),
			Cert:      certOf(l, seen[m.ID]),
		}
		x.Expelled = expulsion(l, m.ID, x.Cert)
		// An older build says nothing, and the end of its certificate as it was met is no
		// word of its own: the file may have been renewed since.
		x.CertEnds = seen[m.ID].Says.UTC()
		if u.Lent != nil {
			x.Home = m.Pool
		}
		if u.Duty != "" && u.Duty != failover.Occupant {
			err := in.State.Ready(in.Now, m.ID)
			if x.Ready = err == nil; err != nil {
				x.NotReady = strings.TrimPrefix(err.Error(), string(m.ID)+" ")
			}
			if u.Proof != nil {
				x.Proven = u.Proof.At
			}
			x.LastUsed, x.Drilled = u.LastUsed, u.Drilled
		}
		if v, stands := l.Standing(m.ID); stands {
			x.Verdict, x.VerdictID, x.Since = v.Kind, verdictID(v.Index), v.Since
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b Member) int {
		return cmp.Or(cmp.Compare(gravity(a), gravity(b)), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// gravity sorts what needs a look to the top.
func gravity(m Member) int {
	switch {
	case m.Verdict != "":
		return 0
	case m.Accused, m.Expelled != "":
		return 1
	case !m.InView:
		return 2
	default:
		return 3
	}
}

// busyWith tells which open case a member is a part of, as the one that is
// lost or as the one that is put in.
func busyWith(st *failover.State) map[member.ID]string {
	busy := map[member.ID]string{}
	for _, c := range st.OpenCases() {
		busy[c.Subject] = c.Name()
		if c.Spare != "" {
			busy[c.Spare] = c.Name()
		}
		for _, p := range c.Preparing {
			busy[p.Spare] = c.Name()
		}
	}
	return busy
}

func unlistedOf(in Input) []Unlisted {
	retired := map[member.ID]bool{}
	if f := in.Ledger.Fleet(); f != nil {
		for _, m := range f.Members {
			if m.Retired {
				retired[m.ID] = true
			}
		}
	}
	var out []Unlisted
	for _, s := range in.View {
		if s.Alive && in.Ledger.Roster().Index(s.Name) < 0 {
			out = append(out, Unlisted{ID: s.Name, Addr: s.Addr, Retired: retired[s.Name]})
			delete(retired, s.Name)
		}
	}
	for id := range retired {
		out = append(out, Unlisted{ID: id, Retired: true})
	}
	slices.SortFunc(out, func(a, b Unlisted) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func poolsOf(in Input, p Page) []Pool {
	out := []Pool{}
	if in.Ledger.Fleet() == nil {
		return out
	}
	for _, f := range in.Ledger.Fleet().Pools {
		x := Pool{
			Name: f.Name, Exclusive: f.Exclusive, Armed: f.Armed,
			Slots: len(f.Slots), Floor: f.Spares.Floor, Warm: f.Spares.Warm, Check: f.Checks.String(),
		}
		if f.Actions.Prepare != "" {
			e := in.State.Estimate(f.Name)
			x.Prepares = &e
		}
		for _, s := range p.Slots {
			if s.Pool == f.Name && s.State == SlotServing {
				x.Serving++
			}
		}
		for _, m := range p.Members {
			if m.Pool == f.Name {
				x.count(m)
			}
			if m.Home == f.Name {
				x.Lent++
			}
		}
		out = append(out, x)
	}
	return out
}

// count books one member of the pool that is no occupant.
func (p *Pool) count(m Member) {
	switch m.Duty {
	case failover.Spare:
		switch {
		case m.Verdict != "":
			p.Condemned++
		case !m.Ready:
			p.Unready++
		default:
			p.Free++
		}
	case failover.Claimed:
		p.Claimed++
	case failover.Quarantined:
		p.Quarantined++
	case failover.BurnIn:
		p.BurnIn++
	case failover.Occupant:
	}
}

// headline is the whole page in one sentence: what users of the slots feel.
func headline(p Page) string {
	text := slotsInOne(p)
	if k := p.Knowledge; k.Head != 0 && !k.Current {
		text += " So it stood at " + moment(k.AsOf) + "."
	}
	return text
}

func slotsInOne(p Page) string {
	var lost []string
	for _, s := range p.Slots {
		if s.State == SlotServing {
			continue
		}
		text := string(s.ID) + " " + strings.ReplaceAll(string(s.State), "-", " ")
		if s.Case != "" {
			text += " (" + s.Case + ")"
		}
		lost = append(lost, text)
	}
	switch {
	case p.Cluster == "":
		return "This agent has no ledger yet: it waits for a cluster."
	case len(p.Slots) == 0:
		return "No slots are declared yet: apply a fleet.yaml."
	case len(lost) == 0 && len(p.Slots) == 1:
		return "The one slot is served."
	case len(lost) == 0:
		return fmt.Sprintf("All %d slots are served.", len(p.Slots))
	default:
		return fmt.Sprintf("%d of %d slots are served: %s.", len(p.Slots)-len(lost), len(p.Slots), names(lost))
	}
}
