package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// HeraldEvent is what a Herald can be told. The set is closed.
type HeraldEvent interface{ isHeraldEvent() }

// Looked hands over how things stand. It comes every second or so.
type Looked struct {
	Page   Page
	Policy member.NotifyPolicy
}

// Answered tells how a SendMessage ended. Err is empty if the receiver has it.
type Answered struct {
	Receiver string
	Message  string // its ID
	Err      string
}

func (Looked) isHeraldEvent()   {}
func (Answered) isHeraldEvent() {}

// HeraldEffect is what a Herald wants done. The set is closed.
type HeraldEffect interface{ isHeraldEffect() }

// KeepMatters asks for the matters to be kept on disk, before what comes after it.
// They are the herald's own: they are to be written before its next Step.
type KeepMatters struct{ Matters Matters }

// SendMessage asks for a message to be sent. Each is answered by Answered.
type SendMessage struct {
	Receiver member.Receiver
	Message  Message
	Deadline time.Time
}

func (KeepMatters) isHeraldEffect() {}
func (SendMessage) isHeraldEffect() {}

// HeraldSays is what a message says of its matter.
type HeraldSays string

// What messages say.
const (
	SaysBegun   HeraldSays = "begun"   // or stands, for whoever hears of it late
	SaysChanged HeraldSays = "changed" // it needs something else now
	SaysEnded   HeraldSays = "ended"   // also of what nobody has heard of yet
	SaysTest    HeraldSays = "test"    // somebody tries out whether it arrives
)

// Message is what a receiver gets.
type Message struct {
	Schema int `json:"schema"`
	// ID is the same each time the message is sent. Another agent that takes over says
	// the same one, but of spares and doors, which it counts from when it saw them.
	ID      string     `json:"id"`
	Says    HeraldSays `json:"says"`
	Cluster string     `json:"cluster"`
	Teller  member.ID  `json:"teller"`
	At      time.Time  `json:"at"` // when it was first to be sent
	Notice  Notice     `json:"notice"`
	// Told is the severity that the receiver was told last by this teller; empty: it
	// has heard nothing of the matter from it.
	Told   Severity  `json:"told,omitempty"`
	Ended  time.Time `json:"ended,omitzero"`
	Ending string    `json:"ending,omitempty"` // how it ended, in words
}

// Matters is what a Herald knows across restarts.
type Matters struct {
	Schema  int       `json:"schema"`
	Matters []*Matter `json:"matters"` // in the order in which they began
	// CertEnds is what members have said last of their certificates, of those that end soon.
	CertEnds map[member.ID]time.Time `json:"cert_ends,omitempty"`
	// Dropped is how many were forgotten before every receiver had heard of them.
	Dropped uint64 `json:"dropped,omitempty"`
}

// Matter is a notice with who has heard of it.
type Matter struct {
	Notice Notice           `json:"notice"`
	Begun  time.Time        `json:"begun"` // when this agent first saw it
	Ended  time.Time        `json:"ended,omitzero"`
	Ending string           `json:"ending,omitempty"`
	Heard  map[string]Heard `json:"heard,omitempty"`  // by receiver
	Stages map[string]int   `json:"stages,omitempty"` // how often it has got into each
}

// Heard is what a receiver has of a matter.
type Heard struct {
	Stage    string    `json:"stage"`
	Severity Severity  `json:"severity,omitempty"`
	At       time.Time `json:"at"`
	Ended    bool      `json:"ended,omitempty"`
}

// How messages are sent.
const (
	sendFor   = 10 * time.Second // one attempt
	sendAgain = time.Second      // after one that failed; it doubles up to
	sendMost  = time.Minute      //
	// changeAfter is how long a receiver has peace between two stages of a matter.
	changeAfter = 30 * time.Second
	// renewEvery is how often a receiver that forgets is told again what stands.
	renewEvery = time.Minute
	// A teller that is just lost may not have said what ended with it.
	keptAside = 2 * time.Minute
	// maxMatters bounds what is kept for receivers that are away for long: the
	// oldest that ended go first.
	maxMatters = 512
	// FailingAfter is for how long a receiver may fail before somebody should look.
	FailingAfter = 3 * time.Minute
)

// Herald decides what people are told, and tells it if this member is on duty. Like
// the tellers of doors it compares and repeats: each receiver has heard of a matter in
// some stage, and is told until that is the one in which the matter stands. What began
// and ended while a receiver was away is one message.
//
// Every member's herald watches; one is on duty. No fact says who, or what was told:
// people are to be told just when the council is gone. So whoever comes on duty tells
// once more what stands, under the same IDs.
type Herald struct {
	self     member.ID
	m        Matters
	dirty    bool
	duty     bool
	lines    map[string]*wire // by receiver
	policy   member.NotifyPolicy
	lastPage Page
}

// wire is how things are with one receiver.
type wire struct {
	busy  string // ID of the message under way
	until time.Time
	about *Matter
	will  Heard // once it is answered
	late  int
	next  time.Time
	bad   time.Time // since when it fails; zero: it does not
	err   string
}

// NewHerald makes the herald of self, which knows what was kept of its life before.
func NewHerald(self member.ID, kept Matters) *Herald {
	kept.Schema = Schema
	for _, x := range kept.Matters {
		if x.Heard == nil {
			x.Heard = map[string]Heard{}
		}
	}
	return &Herald{self: self, m: kept, lines: map[string]*wire{}}
}

// Step takes an event and hands out what has to be done.
func (h *Herald) Step(now time.Time, ev HeraldEvent) []HeraldEffect {
	switch ev := ev.(type) {
	case Looked:
		h.look(now, ev)
	case Answered:
		h.answered(now, ev)
	default:
		panic(fmt.Sprintf("status: unknown event %T", ev))
	}
	sends := h.send(now)
	if !h.dirty {
		return sends
	}
	h.dirty = false
	return append([]HeraldEffect{KeepMatters{h.m}}, sends...)
}

// look compares what stands with what is known.
func (h *Herald) look(now time.Time, ev Looked) {
	h.policy, h.lastPage = ev.Policy, ev.Page
	h.duty = OnDuty(ev.Page, ev.Policy) == h.self
	if len(ev.Policy.Receivers) == 0 { // nobody will ever be told: begin anew when somebody is
		h.dirty = h.dirty || len(h.m.Matters) > 0
		h.m.Matters, h.m.CertEnds = nil, nil
		return
	}
	page, words := lastWords(ev.Page, h.m.CertEnds)
	list, known := Notices(page)
	if known && !maps.EqualFunc(words, h.m.CertEnds, time.Time.Equal) {
		h.m.CertEnds, h.dirty = words, true
	}
	stands := map[string]bool{}
	for _, n := range list {
		stands[h.note(now, n)] = true
	}
	// A council that is back is heard of on a page that is current.
	if known {
		for _, x := range h.m.Matters {
			if x.Ended.IsZero() && !stands[x.Notice.ID] {
				x.Ended, x.Ending, h.dirty = now.UTC(), over(ev.Page, x.Notice), true
			}
		}
	}
	h.forget(now)
}

// note books how a matter stands, and says under which ID.
func (h *Herald) note(now time.Time, n Notice) string {
	for _, x := range h.m.Matters {
		if !x.Ended.IsZero() || !x.Notice.sameAs(n) {
			continue
		}
		if x.Notice.Stage != n.Stage {
			x.enter(n.Stage)
		}
		if x.Notice.Stage != n.Stage || x.Notice.Into != n.Into || !slices.Equal(x.Notice.Cases, n.Cases) || !slices.Equal(x.Notice.Members, n.Members) {
			h.dirty = true
		}
		n.ID, n.Since = x.Notice.ID, x.Notice.Since
		x.Notice = n
		return n.ID
	}
	x := &Matter{Notice: n, Begun: now.UTC(), Heard: map[string]Heard{}}
	x.enter(n.Stage)
	h.m.Matters = append(h.m.Matters, x)
	h.dirty = true
	return n.ID
}

// enter counts that the matter has got into a stage.
func (x *Matter) enter(stage string) {
	if x.Stages == nil {
		x.Stages = map[string]int{}
	}
	x.Stages[stage]++
}

// forget drops what every receiver has heard the end of, or nobody need.
func (h *Herald) forget(now time.Time) {
	before := len(h.m.Matters)
	h.m.Matters = slices.DeleteFunc(h.m.Matters, func(x *Matter) bool {
		switch {
		case x.Ended.IsZero():
			return false
		case !h.duty:
			return now.Sub(x.Ended) > keptAside
		default:
			return !slices.ContainsFunc(h.policy.Receivers, func(r member.Receiver) bool { return x.due(now, r) != "" })
		}
	})
	for len(h.m.Matters) > maxMatters {
		i := max(0, slices.IndexFunc(h.m.Matters, func(x *Matter) bool { return !x.Ended.IsZero() }))
		h.m.Matters = slices.Delete(h.m.Matters, i, i+1)
		h.m.Dropped++
	}
	h.dirty = h.dirty || len(h.m.Matters) != before
}

// due is what a receiver has to be told of a matter, empty if nothing, or not yet.
func (x *Matter) due(now time.Time, r member.Receiver) HeraldSays {
	heard, has := x.Heard[r.Name]
	says := x.news(now, heard, has)
	// Also what has become a part of something else has not ended.
	if says == "" && has && x.Ended.IsZero() && r.Forgets() && now.Sub(heard.At) >= renewEvery {
		return SaysBegun
	}
	return says
}

// news is what somebody has to be told who has heard this much, if anything.
func (x *Matter) news(now time.Time, heard Heard, has bool) HeraldSays {
	switch {
	case heard.Ended:
		return ""
	case !x.Ended.IsZero():
		brief := x.Notice.Passing && x.Ended.Sub(x.Begun) < x.Notice.Patience
		if !has && (brief || x.Notice.Into != "") {
			return "" // its cascade was told
		}
		return SaysEnded
	case x.Notice.Into != "" || now.Sub(x.Begun) < x.Notice.Patience:
		return ""
	case !has:
		return SaysBegun
	case heard.Stage != x.Notice.Stage && x.Notice.Stage != Healing && (x.Notice.Stage == Escalated || now.Sub(heard.At) >= changeAfter):
		return SaysChanged
	default:
		return ""
	}
}

// send begins what is due, one message to each receiver at a time.
func (h *Herald) send(now time.Time) []HeraldEffect {
	if !h.duty {
		return nil
	}
	var out []HeraldEffect
	for _, r := range h.policy.Receivers {
		w := h.lines[r.Name]
		if w == nil {
			w = &wire{}
			h.lines[r.Name] = w
		}
		if now.Before(w.next) || w.busy != "" && now.Before(w.until) {
			continue
		}
		x, says := h.next(now, r)
		if x == nil {
			continue
		}
		m := h.message(x, says)
		if heard, has := x.Heard[r.Name]; has {
			m.Told = cmp.Or(heard.Severity, x.Notice.Severity)
		}
		w.busy, w.until = m.ID, now.Add(2*sendFor)
		w.about, w.will = x, Heard{Stage: x.Notice.Stage, Severity: x.Notice.Severity, Ended: says == SaysEnded}
		out = append(out, SendMessage{Receiver: r, Message: m, Deadline: now.Add(sendFor)})
	}
	return out
}

// next is what a receiver is told now: news before anything that it has to be told
// again, of that what it heard longest ago first; a receiver that is slow would never come
// to the end of its renewals. Of news, what needs people now comes first, then the oldest
// matter: after an hour without the receiver, nobody reads through what is over to find it.
func (h *Herald) next(now time.Time, r member.Receiver) (*Matter, HeraldSays) {
	var news, again *Matter
	var says HeraldSays
	for _, x := range h.m.Matters {
		heard, has := x.Heard[r.Name]
		if s := x.news(now, heard, has); s != "" {
			if news == nil || x.urgent() && !news.urgent() {
				news, says = x, s
			}
			continue
		}
		if x.due(now, r) != "" && (again == nil || heard.At.Before(again.Heard[r.Name].At)) {
			again = x
		}
	}
	switch {
	case news != nil:
		return news, says
	case again != nil:
		return again, SaysBegun
	default:
		return nil, ""
	}
}

// urgent says whether the matter needs people now.
func (x *Matter) urgent() bool { return x.Ended.IsZero() && x.Notice.Severity == Critical }

func (h *Herald) message(x *Matter, says HeraldSays) Message {
	m := Message{
		Schema: Schema, Says: says, Cluster: h.lastPage.Cluster, Teller: h.self, At: x.Begun,
		Notice: x.Notice, Ended: x.Ended, Ending: x.Ending,
		ID: fmt.Sprintf("%s@%d/%s", x.Notice.ID, x.Notice.Since.Unix(), says),
	}
	if says == SaysChanged {
		m.ID += "/" + x.Notice.Stage
		// Its first time was another message, and a receiver would take this one for that.
		if times := x.Stages[x.Notice.Stage]; times > 1 {
			m.ID += fmt.Sprintf("/%d", times)
		}
	}
	return m
}

// answered books what a receiver has heard.
func (h *Herald) answered(now time.Time, ev Answered) {
	w := h.lines[ev.Receiver]
	if w == nil || w.busy != ev.Message {
		return
	}
	w.busy = ""
	if ev.Err != "" {
		w.next = now.Add(min(sendAgain<<min(w.late, 6), sendMost))
		w.late++
		w.err = oneLine(ev.Err)
		if w.bad.IsZero() {
			w.bad = now
		}
		return
	}
	w.late, w.bad, w.err = 0, time.Time{}, ""
	before := w.about.Heard[ev.Receiver]
	w.will.At = now.UTC()
	w.about.Heard[ev.Receiver] = w.will
	// That something was renewed is not worth a write: after a restart it is renewed sooner.
	h.dirty = h.dirty || before.At.IsZero() || before.Stage != w.will.Stage || before.Severity != w.will.Severity || w.will.Ended
	h.forget(now)
}

// OnDuty is the member that tells people, by a page: the first one named, or of all
// by name, that is under no verdict that would keep it from that, and does not say itself
// that its ledger is blocked. As long as the council is heard, that is the same on every
// page, a second apart. Without it each agent goes by whom it sees; on each side of a
// partition somebody then speaks.
func OnDuty(p Page, policy member.NotifyPolicy) member.ID {
	at := map[member.ID]Member{}
	for _, m := range p.Members {
		at[m.ID] = m
	}
	named := policy.On
	if len(named) == 0 {
		named = slices.Sorted(maps.Keys(at))
	}
	var otherwise member.ID
	for _, id := range named {
		m, listed := at[id]
		if !listed {
			continue
		}
		otherwise = cmp.Or(otherwise, id)
		switch {
		case m.Verdict == consensus.VerdictDown, m.Verdict == consensus.VerdictAgentLost, m.Verdict == consensus.VerdictDomainCut:
		case m.Mute, id == p.Self.Name && p.Knowledge.Blocked != "":
		case p.Mode.Name == failover.Isolated && !m.InView:
		default:
			return id
		}
	}
	return otherwise // it tells, or nobody does
}

// ReceiverState is how things are with one receiver, at the member on duty.
type ReceiverState struct {
	Name    string    `json:"name"`
	Waiting int       `json:"waiting"`          // matters that it has still to be told of
	Failing time.Time `json:"failing,omitzero"` // since when
	Err     string    `json:"error,omitempty"`
}

// Telling is what a herald is at.
type Telling struct {
	OnDuty    member.ID       `json:"on_duty,omitempty"` // by what this agent knows
	Receivers []ReceiverState `json:"receivers,omitempty"`
	Dropped   uint64          `json:"dropped,omitempty"`
}

// Telling says how the herald does.
func (h *Herald) Telling(now time.Time) Telling {
	if len(h.policy.Receivers) == 0 {
		return Telling{}
	}
	t := Telling{OnDuty: OnDuty(h.lastPage, h.policy), Dropped: h.m.Dropped}
	for _, r := range h.policy.Receivers {
		x := ReceiverState{Name: r.Name}
		if h.duty {
			for _, m := range h.m.Matters {
				if m.due(now, r) != "" {
					x.Waiting++
				}
			}
		}
		if w := h.lines[r.Name]; w != nil && h.duty {
			x.Failing, x.Err = w.bad, w.err
		}
		t.Receivers = append(t.Receivers, x)
	}
	return t
}
