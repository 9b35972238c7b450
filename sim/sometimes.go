package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// Rarity is something that rarely happens and has to happen now and then: a
// campaign in which it never did has not tried what it is there to try.
type Rarity struct {
	Name string
	Says string // one sentence
}

// rarities is the catalogue, in the order in which people are shown it.
var rarities = []Rarity{
	{"vote-split", "down and up votes stood in one tally behind a fact"},
	{"verdict-withdrawn", "a second look withdrew a verdict before anything was done"},
	{"verdict-lifted", "a member was found up again after a clean while"},
	{"verdict-partial", "some observers reached a member and others did not, and people were told"},
	{"verdict-agent-lost", "an agent was lost above a service that went on"},
	{"verdict-service-down", "a service was lost below an agent that went on"},
	{"verdict-mass", "members that fell together were one verdict"},
	{"verdict-graver", "a verdict was followed by a graver one"},
	{"domain-cut", "a whole failure domain was out of reach"},
	{"verdict-late", "a verdict was agreed more than a second after it was proposed"},

	{"leader-changed", "a council that was led got another leader"},
	{"leader-lost-before-commit", "a fact was agreed whose proposer no longer led"},
	{"proposal-lost", "what a leader had proposed was never agreed"},
	{"two-think-they-lead", "two councillors believed to lead, in different terms"},
	{"pre-vote-rejected", "a councillor refused a vote that would have deposed a leader"},
	{"minority-isolated", "an agent found itself cut off while the council went on"},
	{"quorum-lost", "no councillor reached most of them"},
	{"isolated-and-back", "an agent that had been isolated heard of the council again"},
	{"snapshot-installed", "an agent that lagged was given a whole ledger"},
	{"duplicate-command", "a command came to the log again after it stood in the ledger"},
	{"clock-stepped-down", "a leader whose clock was off lost its office"},
	{"agent-refused", "an agent did not start on a disk that was damaged, full or silent"},
	{"torn-tail-recovered", "an agent came up from a disk whose last record was torn or lost"},

	{"case-aborted", "a case ended because its member came back in time"},
	{"case-inherited", "a case was continued by another leader than the one that opened it"},
	{"drain-at-floor", "traffic stayed, for a drain would have taken the pool below its floor"},
	{"lease-ended", "a keeper stopped an exclusive slot whose lease was over"},
	{"lease-proof", "the end of a lease was the proof that a slot was fenced"},
	{"grant-relayed", "a grant came to its holder through another councillor"},
	{"start-without-lease", "a keeper let no service start, for its lease was over"},
	{"restart-in-place", "a dead service was restarted where it was"},
	{"restart-failed", "a restart did not help, and the member was replaced or tried again"},
	{"second-spare", "a case took another spare after its first one failed"},
	{"spare-dead-on-arrival", "a case claimed a spare that was dead by then"},
	{"spare-died-under-claim", "a spare died between claim and cutover"},
	{"pool-empty", "a case found no spare"},
	{"held-by-budget", "the budget held a case"},
	{"held-by-brake", "the brake held a case"},
	{"held-by-evidence", "a second look held a case"},
	{"held-by-people", "an order of people held a case"},
	{"people-allowed", "people let a case go on that brake, budget or fence held"},
	{"escalated", "a case was handed to people"},
	{"guarded-entered", "the fleet became guarded"},
	{"cascade-entered", "the fleet went into cascade"},
	{"cascade-left", "the fleet came out of cascade"},
	{"domain-cascade", "one failure domain alone went into cascade"},
	{"brake-released", "the fleet's brake was released"},
	{"refused-by-gates", "the ledger refused a step that its leader had held to be allowed"},
	{"refused-late", "the ledger refused a step of a case that had moved on"},
	{"refused-epoch", "the ledger refused what was meant for an earlier slot epoch"},
	{"answered-by-journal", "an action asked for again was answered from the journal"},
	{"old-occupant-stopped", "who had lost a slot stopped it"},
	{"spare-returned", "a repaired member became a spare again"},

	{"throttled-in-swap", "a door of the shield held a subdomain back while a spare took a slot"},
}

// Rarities lists what Sometimes counts.
func Rarities() []Rarity { return slices.Clone(rarities) }

// Sometimes says how often each rare thing happened; all of them are named, also
// those that never did.
func (w *World) Sometimes() map[string]int {
	out := make(map[string]int, len(rarities))
	for _, r := range rarities {
		out[r.Name] = w.rare.n[r.Name]
	}
	for _, c := range w.checker.calls {
		if w.now-c.at > lostAfter {
			out["proposal-lost"]++
		}
	}
	return out
}

// lostAfter is how long a proposal may be on its way before it is held to be
// lost.
const lostAfter = 30 * time.Second

// rare counts what rarely happens.
type rare struct {
	n        map[string]int
	led      map[member.ID]mind.Led
	alone    map[member.ID]bool // isolated
	quorum   bool
	double   uint64 // the higher term of the last two leaders at once
	openers  map[uint64]member.ID
	mode     failover.Mode
	torn     map[member.ID]bool
	skewed   map[member.ID]bool
	standing map[member.ID]consensus.VerdictKind
}

func newRare() rare {
	return rare{
		n: map[string]int{}, led: map[member.ID]mind.Led{}, alone: map[member.ID]bool{}, openers: map[uint64]member.ID{},
		mode: failover.Normal, torn: map[member.ID]bool{}, skewed: map[member.ID]bool{}, standing: map[member.ID]consensus.VerdictKind{},
	}
}

// seldom counts one rare thing.
func (w *World) seldom(name string) { w.rare.n[name]++ }

// notice looks at everything that happens.
func (w *World) notice(h Happening) {
	switch h.What {
	case FaultBegan, FaultEnded:
		w.struck(h)
	case AgentStarted:
		if w.rare.torn[h.Member] {
			delete(w.rare.torn, h.Member)
			w.seldom("torn-tail-recovered")
		}
	case AgentRefused:
		w.seldom("agent-refused")
	case LedBy:
		w.noticeLed(h.Member, *h.Led)
	case Agreed:
		w.noticeFact(*h.Fact)
	case ActionBegan:
		if h.Step.Step == failover.StepStop && h.Step.Case == 0 {
			w.seldom("old-occupant-stopped")
		}
	case AgentEnded, ActionEnded, ServiceUp, ServiceDown, PeopleNoted:
	case ShieldSaid: // of floods alone nothing is counted yet
	}
}

func (w *World) struck(h Happening) {
	for _, id := range h.Fault.Whom {
		switch h.Fault.Do {
		case TornTail, LostTail:
			w.rare.torn[id] = h.What == FaultBegan || w.rare.torn[id]
		case ClockJump, ClockDrift:
			w.rare.skewed[id] = h.What == FaultBegan || slices.Contains(h.Held, id)
		default: // leaves no trace here
		}
	}
}

func (w *World) noticeLed(id member.ID, l mind.Led) {
	r := &w.rare
	before := r.led[id]
	r.led[id] = l
	if before.Leader == id && l.Leader != id && r.skewed[id] {
		w.seldom("clock-stepped-down")
	}
	if l.Leader == id && before.Leader != id && l.Term > 1 && len(w.facts) > 1 {
		w.seldom("leader-changed")
	}
	switch {
	case !l.Quorum && before.Quorum && !r.alone[id]:
		r.alone[id] = true
		if w.quorumPossible() {
			w.seldom("minority-isolated")
		}
	case l.Quorum && r.alone[id]:
		r.alone[id] = false
		w.seldom("isolated-and-back")
	}
}

// spoke looks at raft's messages.
func (w *World) spoke(e mind.SendRaft) {
	if e.Message.GetType() == raftpb.MsgPreVoteResp && e.Message.GetReject() {
		w.seldom("pre-vote-rejected")
	}
}

// noticeSweep looks once per virtual second.
func (w *World) noticeSweep() {
	possible := w.quorumPossible()
	if w.rare.quorum && !possible {
		w.seldom("quorum-lost")
	}
	w.rare.quorum = possible
	n, top := 0, uint64(0)
	for _, id := range w.councillors() {
		if m := w.machine(id); m.up() && m.mind.Councillor() && m.mind.Leading().Leader == id {
			n, top = n+1, max(top, m.mind.Leading().Term)
		}
	}
	if n > 1 && top != w.rare.double {
		w.rare.double = top
		w.seldom("two-think-they-lead")
	}
}

func (w *World) noticeFact(f consensus.Fact) {
	p := w.machine(f.Command.Proposer)
	if w.checker.fold.Councillor(f.Command.Proposer) && (!p.up() || p.mind.Leading().Leader != p.id) {
		switch f.Command.Kind {
		case consensus.KindVerdict, failover.KindCaseOpened, failover.KindCaseStep, failover.KindBrake:
			w.seldom("leader-lost-before-commit")
		default: // anybody may hand it in
		}
	}
	if !f.Accepted {
		w.noticeRefusal(f)
		return
	}
	switch f.Command.Kind {
	case consensus.KindVerdict:
		w.noticeVerdict(f)
	case failover.KindCaseOpened:
		w.rare.openers[f.Index] = f.Command.Proposer
		if s, ok := w.checker.state.Slot(payload[failover.CaseOpened](f).Slot); ok && !s.Drained {
			w.seldom("drain-at-floor")
		}
	case failover.KindCaseStep:
		w.noticeStep(f, payload[failover.CaseStep](f))
	case failover.KindBrake:
		w.noticeBrake(payload[failover.Brakes](f))
	case failover.KindReturned:
		w.seldom("spare-returned")
	default: // nothing rare about it
	}
}

func (w *World) noticeRefusal(f consensus.Fact) {
	if strings.Contains(f.Reason, "slot epoch") {
		w.seldom("refused-epoch")
		return
	}
	if f.Command.Kind != failover.KindCaseStep && f.Command.Kind != failover.KindCaseOpened {
		return
	}
	if strings.Contains(f.Reason, " held: ") || strings.Contains(f.Reason, "claim") {
		w.seldom("refused-by-gates")
	} else {
		w.seldom("refused-late")
	}
}

func (w *World) noticeVerdict(f consensus.Fact) {
	v := payload[consensus.Verdict](f)
	if w.time().Sub(f.Command.Time) > time.Second {
		w.seldom("verdict-late")
	}
	condemned := 0
	cut := false
	for _, x := range v.Findings {
		before := w.rare.standing[x.Subject]
		w.rare.standing[x.Subject] = x.Kind
		if x.Agent.Downs > 0 && x.Agent.Ups > 0 || x.Service.Downs > 0 && x.Service.Ups > 0 {
			w.seldom("vote-split")
		}
		switch x.Kind {
		case consensus.VerdictUp:
			delete(w.rare.standing, x.Subject)
			w.noticeUp(x)
			continue
		case consensus.VerdictPartial:
			w.seldom("verdict-partial")
			continue
		case consensus.VerdictAgentLost:
			w.seldom("verdict-agent-lost")
		case consensus.VerdictServiceDown:
			w.seldom("verdict-service-down")
		case consensus.VerdictDomainCut:
			cut = true
		case consensus.VerdictDown:
		}
		condemned++
		if before != "" {
			w.seldom("verdict-graver")
		}
	}
	if condemned > 1 {
		w.seldom("verdict-mass")
	}
	if cut {
		w.seldom("domain-cut")
	}
}

func (w *World) noticeUp(x consensus.Finding) {
	if x.Withdrawn {
		w.seldom("verdict-withdrawn")
	} else {
		w.seldom("verdict-lifted")
	}
	for _, c := range w.checker.state.Cases() {
		if c.Subject == x.Subject && c.Outcome == failover.OutcomeAborted && c.Since.Equal(w.checker.fold.Time()) {
			w.seldom("case-aborted")
		}
	}
}

func (w *World) noticeStep(f consensus.Fact, p failover.CaseStep) {
	if by, ok := w.rare.openers[p.Case]; ok && by != f.Command.Proposer {
		w.seldom("case-inherited")
		delete(w.rare.openers, p.Case)
	}
	c, ok := w.checker.state.Case(p.Case)
	if !ok {
		return
	}
	switch p.To {
	case failover.Held:
		switch p.Held {
		case failover.HeldBrake:
			w.seldom("held-by-brake")
		case failover.HeldBudget:
			w.seldom("held-by-budget")
		case failover.HeldPoolEmpty:
			w.seldom("pool-empty")
		case failover.HeldEvidence:
			w.seldom("held-by-evidence")
		case failover.HeldHold, failover.HeldMaintenance, failover.HeldDryRun:
			w.seldom("held-by-people")
		case failover.HeldDisarmed, failover.HeldFence, failover.HeldReserve, failover.HeldApproval: // the fleet's own choice, or theirs
		}
	case failover.Restarting:
		w.seldom("restart-in-place")
	case failover.Draining:
		w.seldom("restart-failed")
	case failover.Activating:
		if slices.ContainsFunc(c.History[:len(c.History)-1], func(x failover.Passage) bool { return x.State == failover.Activating }) {
			w.seldom("second-spare")
		}
		if m := w.machine(p.Spare); !m.on || m.mind == nil {
			w.seldom("spare-dead-on-arrival")
		}
	case failover.Cutover:
		if w.shield.holdsBack() {
			w.seldom("throttled-in-swap")
		}
	case failover.Claiming:
		if last := lastSpare(c); last != "" && !w.machine(last).on {
			w.seldom("spare-died-under-claim")
		}
	case failover.Escalated:
		w.seldom("escalated")
	default: // as usual
	}
}

// lastSpare is the spare that a case claimed last, which it may have given up.
func lastSpare(c *failover.Case) member.ID {
	for _, x := range slices.Backward(c.History) {
		if x.State == failover.Claiming && x.Detail != "" && !strings.Contains(x.Detail, " ") {
			return member.ID(x.Detail)
		}
	}
	return ""
}

func (w *World) noticeBrake(b failover.Brakes) {
	before, now := w.rare.mode, b.Mode()
	w.rare.mode = now
	switch {
	case now == failover.Guarded && before == failover.Normal:
		w.seldom("guarded-entered")
	case now == failover.Cascade && before != failover.Cascade:
		w.seldom("cascade-entered")
	case now == failover.Normal && before != failover.Normal:
		w.seldom("brake-released")
	}
	if before == failover.Cascade && now != failover.Cascade {
		w.seldom("cascade-left")
	}
	if now == failover.Cascade {
		return
	}
	for _, s := range slices.Sorted(maps.Keys(b.Modes)) {
		if b.Modes[s].Mode == failover.Cascade && strings.HasPrefix(string(s), "domain:") {
			w.seldom("domain-cascade")
			return
		}
	}
}
