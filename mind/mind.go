package mind

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Mind is all that one agent decides with.
type Mind struct {
	cfg      Config
	ledger   *consensus.Ledger
	state    *failover.State
	observer *agent.Observer
	council  *consensus.Council // nil on an agent that is no councillor
	tally    *consensus.Tally
	conduct  *failover.Conductor // nil unless this agent leads
	executor *failover.Executor

	now      time.Time
	out      []Effect
	led      Led
	quorumAt time.Time // when the council was last known to have a quorum
	applied  []consensus.Fact
	replayed []consensus.Fact // what the disk had, with its outcomes
	snapAt   uint64
	watched  uint64 // ledger head at which the observer was last told whom to watch
	wants    wants
	heard    []member.ID // since the last presence
	presence time.Time
	broken   bool
}

// New makes a mind from what the agent starts with. An error names what is
// wrong with it.
func New(cfg Config, boot Boot, now time.Time) (*Mind, error) {
	m := &Mind{cfg: cfg, now: now, quorumAt: now, presence: now}
	m.state = failover.NewState()
	m.ledger = consensus.NewLedger(m.state)
	m.state.Bind(m.ledger)
	if err := m.load(boot); err != nil {
		return nil, err
	}
	m.observer = agent.NewObserver(cfg.Agent, cfg.Self, cfg.Incarnation, now)
	m.tally = consensus.NewTally(cfg.Tally, m.ledger, m.state.Checked)
	m.executor = failover.NewExecutor(cfg.Self, m.state, boot.Holding, now)
	founders := m.ledger.Founders()
	if slices.Contains(founders, cfg.Self) && !boot.Follower {
		c, err := consensus.NewCouncil(cfg.Council, cfg.Self, founders, boot.Raft, m.ledger.Raft(), now)
		if err != nil {
			return nil, err
		}
		m.council = c
	}
	return m, nil
}

// load builds the ledger up from the disk, or founds it.
func (m *Mind) load(boot Boot) error {
	if boot.Genesis != nil {
		f, err := m.ledger.Found(*boot.Genesis)
		if err != nil {
			return err
		}
		m.applied = append(m.applied, f)
		return nil
	}
	if len(boot.Snapshot) > 0 {
		if err := m.ledger.Restore(boot.Snapshot); err != nil {
			return err
		}
		m.snapAt = m.ledger.Head()
	}
	for _, f := range boot.Facts {
		f, _, err := m.ledger.Follow(f)
		if err != nil {
			return err
		}
		m.replayed = append(m.replayed, f)
	}
	return nil
}

// Step takes one event and says what is to be done.
func (m *Mind) Step(now time.Time, ev Event) []Effect {
	m.now, m.out = now, nil
	if m.broken {
		return nil
	}
	switch ev := ev.(type) {
	case Woken:
	case Observed:
		m.observe(ev.Event)
	case StatementCame:
		m.statement(ev)
	case PresenceCame:
		m.present(ev)
	case RollCame:
		if m.ledger.Councillor(ev.From) {
			m.observe(agent.RollCalled{Call: ev.Call})
		}
	case RaftCame:
		if m.ledger.SpeaksAs(ev.From, ev.Message.GetFrom()) {
			m.councilStep(consensus.RaftReceived{Message: ev.Message})
		}
	case DiskDone:
		m.councilStep(consensus.Persisted{Seq: ev.Seq})
	case FactsFed:
		m.fed(ev.Facts)
	case LedgerFed:
		m.replaceLedger(ev.Snapshot)
	case QuorumHeard:
		if m.council == nil {
			m.quorumAt = now
			m.lead(Led{Leader: ev.Leader, Term: ev.Term, Quorum: true})
		}
	case ClockMeasured:
		m.councilStep(consensus.ClockJudged{Good: ev.Ahead.Abs() <= m.cfg.ClockMax})
	case Submitted:
		m.submitted(ev.Command)
	case StepEnded:
		m.execute(m.executor.Step(now, ev.Done))
	case DoorHeard:
		m.tallied(consensus.DoorAnswered{Subject: ev.Subject})
	default:
		panic(fmt.Sprintf("mind: unknown event %T", ev))
	}
	m.due()
	m.settle()
	out := m.out
	m.out = nil
	return out
}

// due wakes every part whose time has come.
func (m *Mind) due() {
	if m.council != nil && !m.now.Before(m.council.Wake()) {
		m.councilStep(consensus.CouncilWoken{})
	}
	if !m.now.Before(m.observer.Wake()) {
		m.observe(agent.Woken{})
	}
	if !m.now.Before(m.tally.Wake()) {
		m.tallied(consensus.TallyWoken{})
	}
	if m.conduct != nil && !m.now.Before(m.conduct.Wake()) {
		m.conducted(failover.ConductorWoken{})
	}
	if m.ledger.Blocked() == "" && !m.now.Before(m.executor.Wake()) {
		m.execute(m.executor.Step(m.now, failover.ExecutorWoken{}))
	}
	m.tellPresence()
	m.handIn()
	m.watchQuorum()
}

// settle follows up on new facts until nothing moves any more: facts may make
// the conductor propose, and a lone councillor commits at once.
func (m *Mind) settle() {
	const rounds = 64 // far more than any chain of consequences
	for range rounds {
		m.rewatch()
		if len(m.applied) == 0 {
			return
		}
		facts := m.applied
		m.applied = nil
		m.out = append(m.out, Keep{Facts: facts}, Applied{Facts: facts})
		m.wants.settled(facts)
		m.tally.Cascade(m.state.Brake().Mode() == failover.Cascade)
		if m.ledger.Blocked() == "" {
			m.execute(m.executor.Step(m.now, failover.ExecutorWoken{}))
			if m.conduct != nil {
				m.conducted(failover.ConductorWoken{})
			}
		}
		m.handIn()
		m.snapshot()
	}
}

// Wake is when the mind wants to be called next.
func (m *Mind) Wake() time.Time {
	w := m.observer.Wake()
	if m.council != nil {
		w = earliest(w, m.council.Wake())
	}
	if m.ledger.Blocked() == "" { // else these three have stopped deciding
		w = earliest(w, m.executor.Wake())
		w = earliest(w, m.tally.Wake())
		if m.conduct != nil {
			w = earliest(w, m.conduct.Wake())
		}
	}
	return earliest(w, m.wants.wake())
}

func earliest(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// observe steps the observer and carries out what it says.
func (m *Mind) observe(ev agent.Event) {
	for _, e := range m.observer.Step(m.now, ev) {
		switch e := e.(type) {
		case agent.SendProbes:
			m.out = append(m.out, SendProbes{Probes: e.Probes})
		case agent.RunCheck:
			pool, slot, epoch, ok := m.state.Serves(e.Subject)
			if !ok {
				continue // it stopped serving in this very moment; a new watch comes
			}
			m.out = append(m.out, RunCheck{RunCheck: e, Checks: pool.Checks, Slot: slot, Epoch: epoch})
		case agent.Publish:
			m.publish(e)
		}
	}
}

// publish sends a statement, and hears it at once if this agent sits in the
// council itself.
func (m *Mind) publish(p agent.Publish) {
	to := slices.DeleteFunc(slices.Clone(p.To), func(id member.ID) bool { return id == m.cfg.Self })
	if len(to) > 0 {
		m.out = append(m.out, SendStatement{Statement: p.Statement, To: to})
	}
	if len(to) < len(p.To) {
		m.tallied(consensus.Heard{Statement: p.Statement})
		m.observe(agent.Acknowledged{By: m.cfg.Self, Seq: p.Statement.Seq})
	}
}

// statement acknowledges, tallies or passes on what an observer says.
func (m *Mind) statement(ev StatementCame) {
	if m.council == nil {
		return // meant for a councillor: an old address, perhaps
	}
	if !ev.Forwarded {
		m.out = append(m.out, Acknowledge{To: ev.Statement.Observer, Seq: ev.Statement.Seq})
	}
	if m.conduct != nil {
		m.tallied(consensus.Heard{Statement: ev.Statement})
		return
	}
	m.heard = append(m.heard, ev.Statement.Observer)
	if l := m.led.Leader; l != "" && !ev.Forwarded && len(ev.Raw) > 0 {
		m.out = append(m.out, PassOn{To: l, Raw: ev.Raw})
	}
}

// present notes who was heard; the leader counts, the others tell it.
func (m *Mind) present(ev PresenceCame) {
	if m.conduct != nil {
		m.tallied(consensus.Present{Members: ev.Members})
		return
	}
	if m.council != nil && !ev.Forwarded {
		m.heard = append(m.heard, ev.Members...)
	}
}

func (m *Mind) tellPresence() {
	if m.council == nil || m.now.Sub(m.presence) < m.cfg.PresenceEvery {
		return
	}
	m.presence = m.now
	slices.Sort(m.heard)
	names := slices.Compact(m.heard)
	m.heard = nil
	if m.conduct != nil {
		m.tallied(consensus.Present{Members: []member.ID{m.cfg.Self}})
		return
	}
	if m.led.Leader != "" {
		m.out = append(m.out, TellPresence{To: m.led.Leader, Members: append(names, m.cfg.Self)})
	}
}

// tallied steps the tally and carries out what it says.
func (m *Mind) tallied(ev consensus.TallyEvent) {
	if m.ledger.Blocked() != "" {
		return
	}
	for _, e := range m.tally.Step(m.now, ev) {
		switch e := e.(type) {
		case consensus.CallRoll:
			to := slices.DeleteFunc(slices.Clone(e.To), func(id member.ID) bool { return id == m.cfg.Self })
			if len(to) > 0 {
				m.out = append(m.out, SendRollCall{Call: e.Call, To: to})
			}
			if len(to) < len(e.To) {
				m.observe(agent.RollCalled{Call: e.Call})
			}
		case consensus.Decided:
			id := fmt.Sprintf("verdict/%d/%d", e.Verdict.Term, m.now.UnixNano())
			m.want(consensus.KindVerdict, id, e.Verdict, 2*time.Second)
		case consensus.Looked:
			m.conducted(failover.SecondLook{Subject: e.Subject, Agent: e.Agent, Service: e.Service, Called: e.At})
		}
	}
}

// conducted steps the conductor and carries out what it says.
func (m *Mind) conducted(ev failover.ConductorEvent) {
	if m.conduct == nil || m.ledger.Blocked() != "" {
		return
	}
	for _, e := range m.conduct.Step(m.now, ev, m.tally.Open(m.now)) {
		switch e := e.(type) {
		case failover.ProposeFact:
			m.want(e.Kind, e.ID, e.Payload, 2*time.Second)
		case failover.LookAgain:
			m.tallied(consensus.Recall{Subject: e.Subject})
		}
	}
}

// execute carries out what the executor says.
func (m *Mind) execute(effects []failover.ExecutorEffect) {
	for _, e := range effects {
		switch e := e.(type) {
		case failover.DoStep:
			m.out = append(m.out, DoStep{DoStep: e})
		case failover.SendReport:
			m.want(failover.KindReport, e.ID, e.Report, 0)
		}
	}
}

// councilStep steps the council and carries out what it says.
func (m *Mind) councilStep(ev consensus.CouncilEvent) {
	if m.council == nil {
		return
	}
	for _, e := range m.council.Step(m.now, ev) {
		switch e := e.(type) {
		case consensus.Persist:
			m.out = append(m.out, Persist{Persist: e})
		case consensus.SendRaft:
			m.out = append(m.out, SendRaft{To: e.To, Message: e.Message})
		case consensus.Committed:
			m.commit(e)
		case consensus.Installed:
			m.replaceLedger(e.Ledger)
		case consensus.Led:
			m.elected(e)
		case consensus.Noted:
			m.out = append(m.out, Noted{Text: e.Text})
		}
	}
}

func (m *Mind) commit(c consensus.Committed) {
	f, fresh, err := m.ledger.Commit(c.Raft, c.Command)
	if err != nil {
		// Agreed by all, readable by none: it has no effect on anybody.
		m.out = append(m.out, Noted{Text: err.Error()})
		return
	}
	if fresh {
		m.applied = append(m.applied, f)
	}
}

// elected begins or ends this agent's leadership.
func (m *Mind) elected(l consensus.Led) {
	leads := l.Leader == m.cfg.Self
	was := m.conduct != nil
	switch {
	case leads && (!was || l.Term != m.led.Term):
		m.tally.Step(m.now, consensus.Elected{Term: l.Term})
		m.conduct = failover.NewConductor(m.state, l.Term, m.now)
	case !leads && was:
		m.tally.Step(m.now, consensus.Deposed{})
		m.conduct = nil
	}
	if l.Leader != "" {
		m.quorumAt = m.now
	}
	m.lead(Led{Leader: l.Leader, Term: l.Term, Quorum: m.led.Quorum || l.Leader != ""})
}

// lead tells of a change of leader.
func (m *Mind) lead(l Led) {
	if l != m.led {
		m.led = l
		m.out = append(m.out, l)
	}
}

// watchQuorum notices the loss of the council: a councillor by having no
// leader, another agent by hearing of none.
func (m *Mind) watchQuorum() {
	if m.council != nil && m.led.Leader != "" {
		m.quorumAt = m.now
	}
	if m.led.Quorum && m.now.Sub(m.quorumAt) >= m.cfg.IsolatedAfter {
		l := m.led
		l.Quorum = false
		if m.council == nil {
			l.Leader = ""
		}
		m.lead(l)
	}
}

// fed takes facts from the feed.
func (m *Mind) fed(facts []consensus.Fact) {
	if m.council != nil {
		return // a councillor has them from raft, and only from there
	}
	for _, f := range facts {
		f, fresh, err := m.ledger.Follow(f)
		switch {
		case errors.Is(err, consensus.ErrGap):
			return // the feed begins again from our head
		case err != nil:
			m.fail(err)
			return
		case fresh:
			m.applied = append(m.applied, f)
		}
	}
}

// replaceLedger takes a whole ledger in place of one that is too far behind.
func (m *Mind) replaceLedger(b []byte) {
	head, err := consensus.SnapshotHead(b)
	if err == nil && head <= m.ledger.Head() {
		return
	}
	if err == nil {
		err = m.ledger.Restore(b)
	}
	if err != nil {
		m.fail(err)
		return
	}
	m.snapAt = m.ledger.Head()
	m.out = append(m.out, KeepSnapshot{Head: m.ledger.Head(), Ledger: b, Whole: true})
}

func (m *Mind) fail(err error) {
	m.broken = true
	m.out = append(m.out, Broken{Err: fmt.Errorf("ledger of %s: %w", m.cfg.Self, err)})
}

// snapshot writes the whole ledger now and then, so that a restart is quick
// and raft's log stays short.
func (m *Mind) snapshot() {
	if m.ledger.Head() < m.snapAt+m.cfg.SnapshotEvery {
		return
	}
	b, err := m.ledger.Snapshot()
	if err != nil {
		m.fail(err)
		return
	}
	k := KeepSnapshot{Head: m.ledger.Head(), Ledger: b, Keep: m.cfg.KeepEntries}
	if m.council != nil {
		if k.Raft, err = m.council.Compact(m.ledger.Raft(), b, m.cfg.KeepEntries); err != nil {
			m.fail(err)
			return
		}
	}
	m.snapAt = m.ledger.Head()
	m.out = append(m.out, k)
}
