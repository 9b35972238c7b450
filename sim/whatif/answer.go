package whatif

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
	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// Answer is what would happen. Milliseconds count from the first fault.
type Answer struct {
	OK       bool        `json:"ok"` // every slot is served in the end, and no promise was broken
	Seed     uint64      `json:"seed"`
	Asked    []string    `json:"asked"`
	Assumed  []string    `json:"assumed,omitempty"`  // what the world takes for granted
	Promise  string      `json:"promise,omitempty"`  // one that was broken
	Broken   string      `json:"broken,omitempty"`   // and how
	Story    []Line      `json:"story"`              // what would happen, in order
	Slots    []Slot      `json:"slots"`              // that would lose their service, or had lost it before
	Spares   []member.ID `json:"spares_used"`        // in the order in which they would be claimed
	Left     int         `json:"spares_left"`        // that would run and be free in the end
	Modes    []string    `json:"modes"`              // of the fleet's brake, in order
	Leader   member.ID   `json:"leader"`             // of the council in the end; empty: nobody, and nothing is decided
	Held     []Hold      `json:"held,omitempty"`     // what would wait, and for what
	Requests []Requests  `json:"requests,omitempty"` // by host
}

// Line is one thing that would happen.
type Line struct {
	AtMS int64  `json:"at_ms"`
	Text string `json:"text"`
}

// Slot is a slot that would lose its service.
type Slot struct {
	Slot     member.SlotID `json:"slot"`
	LostMS   int64         `json:"lost_ms"`
	Before   bool          `json:"before,omitempty"` // it was lost before it began
	ServedMS *int64        `json:"served_ms"`        // nil: not within the time that was looked at
	By       member.ID     `json:"by,omitempty"`
	Why      string        `json:"why,omitempty"` // it is not served again

	lost   member.ID // who served it
	silent bool      // no event tells that it is not served, or is again
}

// Hold is a case that would wait.
type Hold struct {
	AtMS int64  `json:"at_ms"`
	Text string `json:"text"`
}

// Requests is what would become of the requests for a host.
type Requests struct {
	Host        string `json:"host"`
	Total       int    `json:"total"`
	Failed      int    `json:"failed"`
	WorstSecond int    `json:"worst_second"` // most failures in one second
	LastMS      *int64 `json:"last_ms"`      // when the last one would fail; nil: none
}

// Read makes an answer of a posed question's result, which must have a story.
func (p *Posed) Read(r *scenario.Result) (*Answer, error) {
	if r.Story == nil {
		return nil, fmt.Errorf("read the answer with seed %d: the result has no story", r.Seed)
	}
	first := p.At.Milliseconds()
	for i, d := range p.Deeds {
		if at := (p.At + d.At).Milliseconds(); i == 0 || at < first {
			first = at
		}
	}
	a := &Answer{Seed: r.Seed, Assumed: p.assumed(), Story: []Line{}, Slots: []Slot{}, Spares: []member.ID{}, Modes: []string{}}
	for _, d := range p.Deeds {
		a.Asked = append(a.Asked, d.Says)
	}
	x := reader{
		a: a, first: first, slots: map[member.SlotID]int{}, duty: map[member.ID]string{}, state: map[member.ID]string{},
		held: map[member.ID]string{}, open: map[member.ID]string{},
	}
	if p.Stand.Mode != failover.Normal {
		x.mode = string(p.Stand.Mode)
	}
	x.before(p.Stand)
	x.still(p.Stand, r.Story.Faults)
	for _, e := range scenario.Lines(r.Story) {
		x.line(e)
	}
	for _, e := range r.Story.Events {
		x.event(e)
	}
	x.sum(r.Story)
	x.unseen()
	if p.Plan.World.Begin == nil && x.led != "" {
		a.Assumed = append(a.Assumed, fmt.Sprintf("%s leads the council when it begins; another seed has another leader", x.led))
	}
	if r.Outcome == scenario.SafetyBroken || r.Outcome == scenario.NotDeterministic {
		a.Promise, a.Broken = r.Promise, r.Broken
	}
	a.OK = a.Broken == ""
	for _, s := range a.Slots {
		a.OK = a.OK && s.ServedMS != nil
	}
	return a, nil
}

// assumed says what the world takes for granted about the fleet.
func (p *Posed) assumed() []string {
	s := p.Stand
	action := p.Plan.World.Action
	easy := fmt.Sprintf("who serves bears any load, the shield is not played, and actions take %s to %s and work", action.Min, action.Max)
	if p.Plan.World.Begin == nil {
		return []string{"everybody is well and every slot is served when it begins", easy}
	}
	out := []string{fmt.Sprintf("the fleet stands as the ledger's fact %d says; who has no verdict is well", s.Head), easy}
	if p.Old > 0 {
		out = append(out, fmt.Sprintf("that ledger is %s old: its agent hears of no council, and facts may be missing", seconds(p.Old.Milliseconds())))
	}
	for _, id := range slices.Sorted(maps.Keys(s.Condemned)) {
		out = append(out, fmt.Sprintf("%s stands under a verdict (%s) and stays so", id, s.Condemned[id]))
	}
	for _, c := range s.Cases {
		out = append(out, c+" goes on")
	}
	if s.Mode != failover.Normal {
		out = append(out, fmt.Sprintf("the brake is in mode %s when it begins", s.Mode))
	}
	return out
}

// still books the slots of members that stand still, fall ill or are cut off from
// everybody, clients too: no process of theirs ends, so no event says that they
// are not served.
func (x *reader) still(s sim.Stand, faults []scenario.Band) {
	for _, b := range faults {
		if b.Kind != sim.Pause && b.Kind != sim.Sicken && b.Kind != sim.Isolate {
			continue
		}
		for _, slot := range slices.Sorted(maps.Keys(s.Occupants)) {
			if id := s.Occupants[slot]; slices.Contains(b.Whom, id) && s.Condemned[id] == "" {
				lost := Slot{Slot: slot, LostMS: b.FromMS - x.first, lost: id, silent: true}
				if b.End != "" {
					at := b.ToMS - x.first
					lost.ServedMS, lost.By = &at, id
				}
				x.a.Slots = append(x.a.Slots, lost)
			}
		}
	}
}

// reader goes through a story.
type reader struct {
	a     *Answer
	first int64
	slots map[member.SlotID]int // places in Answer.Slots
	duty  map[member.ID]string
	state map[member.ID]string // in the member's lane
	held  map[member.ID]string // why the last case about it waits
	open  map[member.ID]string // the last word of the last case about it, if that is not closed
	mode  string               // of the fleet's brake
	brake string               // why it is in that mode
	led   member.ID            // the leader when it begins
	moved []int                // places in Answer.Slots whose new occupant is told next
}

// before books the slots that a fleet had lost when it was asked about: their
// occupants stand under a verdict that says so.
func (x *reader) before(s sim.Stand) {
	for _, slot := range slices.Sorted(maps.Keys(s.Occupants)) {
		id := s.Occupants[slot]
		switch s.Condemned[id] {
		case consensus.VerdictDown, consensus.VerdictServiceDown, consensus.VerdictDomainCut:
			x.slots[slot] = len(x.a.Slots)
			x.a.Slots = append(x.a.Slots, Slot{Slot: slot, Before: true, lost: id})
		default: // its service goes on
		}
	}
}

func (x *reader) line(e scenario.Event) {
	if e.AtMS >= x.first {
		x.a.Story = append(x.a.Story, Line{AtMS: e.AtMS - x.first, Text: e.Text})
	}
}

func (x *reader) event(e scenario.Event) {
	after := e.AtMS >= x.first
	if e.Lane == scenario.LaneCouncil && e.State != "" {
		x.a.Leader = e.Member
		if !after {
			x.led = e.Member
		}
	}
	if e.Lane == scenario.LaneMember && e.State != "" {
		x.state[e.Member] = e.State
	}
	switch {
	case e.Lane == scenario.LaneBrake && e.State != "":
		x.mode = e.State
		if e.Text != "" {
			x.brake = e.Text
		}
	case e.Lane == scenario.LaneCase && e.State == string(failover.Closed):
		delete(x.open, e.Member)
	case e.Lane == scenario.LaneCase && e.Case != 0 && e.State != "" && e.Text != "":
		x.open[e.Member] = e.Text
	}
	switch {
	case e.Lane == scenario.LanePool && e.State != "":
		before := x.duty[e.Member]
		x.duty[e.Member] = e.State
		if e.State == string(failover.Occupant) {
			x.taken(e.Member)
		}
		if after && e.State == string(failover.Claimed) && before != e.State {
			x.a.Spares = append(x.a.Spares, e.Member)
		}
	case e.Lane == scenario.LaneCase && e.State == string(failover.Cutover):
		x.back(e)
	case !after:
	case e.Lane == scenario.LaneBrake && e.State != "":
		if n := len(x.a.Modes); n == 0 || x.a.Modes[n-1] != e.State { // or a pool's has changed
			x.a.Modes = append(x.a.Modes, e.State)
		}
	case e.Lane == scenario.LaneCase && e.State == string(failover.Held):
		x.a.Held = append(x.a.Held, Hold{AtMS: e.AtMS - x.first, Text: e.Text})
		x.held[e.Member] = e.Text
	case e.Slot != "" && e.Served:
		if i, lost := x.slots[e.Slot]; lost {
			at := e.AtMS - x.first
			x.a.Slots[i].ServedMS, x.a.Slots[i].By = &at, e.Member
			delete(x.slots, e.Slot)
		}
	case e.Slot != "":
		x.slots[e.Slot] = len(x.a.Slots)
		x.a.Slots = append(x.a.Slots, Slot{Slot: e.Slot, LostMS: e.AtMS - x.first, lost: e.Member})
	}
}

// back books that a slot of which no event will tell has a new occupant, which was
// seen to serve it. Who that is stands in the next event of the pool's lane.
func (x *reader) back(e scenario.Event) {
	for i := range x.a.Slots {
		s, at := &x.a.Slots[i], max(0, e.AtMS-x.first)
		if (s.Before || s.silent) && s.lost == e.Member && at >= s.LostMS && (s.ServedMS == nil || *s.ServedMS > at) {
			s.ServedMS, s.By = &at, ""
			x.moved = append(x.moved, i)
			if s.Before {
				delete(x.slots, s.Slot)
			}
		}
	}
}

// taken names the new occupant of the slots that have moved.
func (x *reader) taken(by member.ID) {
	for _, i := range x.moved {
		x.a.Slots[i].By = by
	}
	x.moved = nil
}

// why says why a slot is not served in the end.
func (x *reader) why(s Slot) string {
	switch held, verdict := x.held[s.lost], consensus.VerdictKind(x.state[s.lost]); {
	case x.a.Leader == "":
		return "nobody leads the council, so nothing is decided"
	case held != "":
		return held
	case verdict == consensus.VerdictDomainCut:
		return "its failure domain is out of reach as a whole and may well run, so nobody is replaced"
	case x.open[s.lost] != "":
		return fmt.Sprintf("it was not over when the time was, last: %s", x.open[s.lost])
	case x.mode == string(failover.Cascade):
		return cmp.Or(x.brake, "the brake is in mode "+x.mode) + "; no case is open, and nothing destructive begins while that holds"
	case verdict == consensus.VerdictPartial:
		return fmt.Sprintf("some of its observers reach %s, so nobody replaces it", s.lost)
	case slices.Contains(condemning, verdict):
		return fmt.Sprintf("%s stands under a verdict (%s), and no case is open within the time that was looked at", s.lost, verdict)
	default:
		return fmt.Sprintf("no verdict condemns %s within the time that was looked at", s.lost)
	}
}

// condemning are the verdicts that open cases.
var condemning = []consensus.VerdictKind{consensus.VerdictDown, consensus.VerdictServiceDown, consensus.VerdictAgentLost}

// unseen tells in the story what no event does: that a slot was not served, and
// was again.
func (x *reader) unseen() {
	for _, s := range x.a.Slots {
		if !s.silent || s.Before {
			continue
		}
		x.a.Story = append(x.a.Story, Line{AtMS: s.LostMS, Text: fmt.Sprintf("slot %s is not served any more", s.Slot)})
		if s.ServedMS != nil {
			x.a.Story = append(x.a.Story, Line{AtMS: *s.ServedMS, Text: fmt.Sprintf("slot %s is served again by %s, after %.1f s", s.Slot, s.By, float64(*s.ServedMS-s.LostMS)/1000)})
		}
	}
	slices.SortStableFunc(x.a.Story, func(a, b Line) int { return cmp.Compare(a.AtMS, b.AtMS) })
}

// unusable are the states, in a member's lane, of a spare that nobody can use.
var unusable = []string{"off", "gone", string(consensus.VerdictDown), string(consensus.VerdictDomainCut)}

func (x *reader) sum(s *scenario.Story) {
	for _, m := range s.Members {
		if x.duty[m.ID] == string(failover.Spare) && !slices.Contains(unusable, x.state[m.ID]) {
			x.a.Left++
		}
	}
	for i, slot := range x.a.Slots {
		if slot.ServedMS == nil {
			x.a.Slots[i].Why = x.why(slot)
		}
	}
	from := int(x.first / 1000)
	for _, d := range s.Doors {
		r := Requests{Host: d.Host}
		for i := from; i < len(d.Total); i++ {
			r.Total += d.Total[i]
			r.Failed += d.Failed[i]
			r.WorstSecond = max(r.WorstSecond, d.Failed[i])
			if d.Failed[i] > 0 {
				at := int64(i-from+1) * 1000
				r.LastMS = &at
			}
		}
		x.a.Requests = append(x.a.Requests, r)
	}
}

// Text is the answer for people.
func (a *Answer) Text() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, x := range a.Asked {
		p("what if: %s", x)
	}
	for _, x := range a.Assumed {
		p("  assumed: %s", x)
	}
	p("")
	for _, l := range a.Story {
		p("%+8.1f s  %s", float64(l.AtMS)/1000, l.Text)
	}
	p("")
	if a.Broken != "" {
		p("BROKEN %s: %s", a.Promise, a.Broken)
	}
	for _, s := range a.Slots {
		switch {
		case s.ServedMS == nil && s.Before:
			p("slot %s: not served when it begins, and not served again%s", s.Slot, because(s.Why))
		case s.ServedMS == nil:
			p("slot %s: not served again%s", s.Slot, because(s.Why))
		case s.Before:
			p("slot %s: not served when it begins, served again by %s after %s", s.Slot, s.By, seconds(*s.ServedMS))
		default:
			p("slot %s: served again by %s after %s", s.Slot, s.By, seconds(*s.ServedMS-s.LostMS))
		}
	}
	if len(a.Slots) == 0 {
		p("no slot loses its service")
	}
	switch {
	case len(a.Spares) > 0:
		p("spares: %s used, %d left", names(a.Spares), a.Left)
	default:
		p("spares: none used, %d left", a.Left)
	}
	for _, h := range a.Held {
		p("held: %s (from %s on)", h.Text, seconds(h.AtMS))
	}
	if a.Leader == "" {
		p("council: nobody leads it in the end")
	}
	switch {
	case len(a.Modes) > 0:
		p("brake of the fleet: %s", strings.Join(a.Modes, ", then "))
	case a.Leader == "":
		p("brake: not asked, for nobody leads")
	default:
		p("brake: holds nothing")
	}
	for _, r := range a.Requests {
		if r.Failed == 0 {
			p("requests to %s: none of %d fails", r.Host, r.Total)
			continue
		}
		p("requests to %s: %d of %d fail, at most %d in one second, the last one within %s", r.Host, r.Failed, r.Total, r.WorstSecond, seconds(*r.LastMS))
	}
	return b.String()
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

func seconds(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(100 * time.Millisecond).String()
}

func names(ids []member.ID) string {
	s := make([]string, len(ids))
	for i, id := range ids {
		s[i] = string(id)
	}
	return strings.Join(s, ", ")
}
