package mind

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Mind is all that one agent decides with.
type Mind struct {
	cfg       Config
	ledger    *consensus.Ledger
	state     *failover.State
	throttles *Throttles
	observer  *agent.Observer
	council   *consensus.Council // nil on an agent that has no seat in the council
	founder   bool               // it still has the disk with which it founded
	saved     consensus.Saved    // what the disk held of raft
	raftAt    time.Time          // when raft last heard anything
	care      care
	kinds     kinds
	left      uint64            // the last seat that it had to leave
	aside     *consensus.Ledger // of a councillor that hears no leader: what others say has become of the council
	tally     *consensus.Tally
	conduct   *failover.Conductor // nil unless this agent leads
	executor  *failover.Executor
	holder    *agent.Holder
	lessor    *failover.Lessor
	enforcer  enforcer
	fencer    fencer
	relayed   relayed
	asks      uint64 // the confirmation that the lessor waits for, 0: none
	teller    *failover.Teller

	now      time.Time
	out      []Effect
	led      Led
	clock    clock     // what this agent dates facts with
	quorumAt time.Time // when the council was last known to have a quorum
	touched  time.Time // since when that was never too long ago
	current  current
	applied  []consensus.Fact
	whole    bool             // a ledger came as a whole, from the disk or from the feed: it has the consequences of facts
	replayed []consensus.Fact // what the disk had, with its outcomes
	snapAt   uint64
	watched  uint64 // ledger head at which the observer was last told whom to watch
	wants    wants
	orders   orders
	passed   passed // to the present leader
	anew     anew
	heard    []member.ID // since the last presence
	presence time.Time
	broken   bool
}

// New makes a mind from what the agent starts with. An error names what is
// wrong with it.
func New(cfg Config, boot Boot, now time.Time) (*Mind, error) {
	m := &Mind{cfg: cfg, now: now, quorumAt: now, raftAt: now, presence: now, clock: clock{set: now}, passed: passed{}, kinds: newKinds()}
	fold := NewFold()
	m.ledger, m.state, m.throttles = fold.Ledger, fold.State, fold.Throttles
	m.ledger.ShareFolds(cfg.Folds)
	if err := m.load(boot); err != nil {
		return nil, err
	}
	m.clock.unproven = m.ledger.Fleet() != nil && len(m.ledger.Councillors()) >= 3
	m.observer = agent.NewObserver(cfg.Agent, cfg.Self, cfg.Incarnation, now)
	m.tally = consensus.NewTally(cfg.Tally, m.ledger, m.state.Checked)
	m.whole = true
	m.executor = failover.NewExecutor(cfg.Self, m.state, boot.Holding, now)
	m.executor.Bygone(boot.Bygone)
	m.lend()
	m.teller = failover.NewTeller(cfg.Self, m.state, now)
	m.founder, m.saved = !boot.Follower, boot.Raft
	if err := m.takeSeat(); err != nil {
		return nil, err
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
		m.chronicle(f)
		return nil
	}
	if len(boot.Snapshot) > 0 {
		if err := m.ledger.Restore(boot.Snapshot); err != nil {
			return err
		}
		m.snapAt = m.ledger.Head()
		m.chronicleWhole()
	}
	for _, f := range boot.Facts {
		f, _, err := m.ledger.Follow(f)
		if err != nil {
			return err
		}
		m.replayed = append(m.replayed, f)
		m.chronicle(f)
	}
	return nil
}

// chronicle tells of a fact right after it was applied.
func (m *Mind) chronicle(f consensus.Fact) {
	if m.cfg.Chronicle != nil {
		m.cfg.Chronicle.Applied(f, m.ledger, m.state)
	}
}

func (m *Mind) chronicleWhole() {
	if m.cfg.Chronicle != nil {
		m.cfg.Chronicle.Restored(m.ledger, m.state)
	}
}

// Step takes one event and says what is to be done.
func (m *Mind) Step(now time.Time, ev Event) []Effect {
	m.now, m.out = now, nil
	if m.broken {
		return nil
	}
	m.lookAtClock()
	switch ev := ev.(type) {
	case Woken:
	case Observed:
		m.observe(ev.Event)
	case StatementCame:
		m.statement(ev)
	case PresenceCame:
		m.present(ev)
	case PresenceTold:
		if m.conduct != nil {
			m.tallied(consensus.Present{Members: m.ledger.Roster().In(ev.Members)})
		}
	case RollCame:
		if m.ledger.Councillor(ev.From) {
			m.observe(agent.RollCalled{Call: ev.Call})
		}
	case RaftCame:
		if m.isForMe(ev) {
			m.raftAt = now
			m.councilStep(consensus.RaftReceived{Message: ev.Message})
			m.hears()
		}
	case DiskDone:
		m.councilStep(consensus.Persisted{Seq: ev.Seq})
	case FactsFed:
		m.fed(ev.Facts)
	case LedgerFed:
		if m.council == nil || m.overhear(nil, ev.Snapshot) {
			m.replaceLedger(ev.Snapshot)
		}
	case KindsTold:
		m.kinds.told[ev.Member] = ev.Kinds
	case RefoundingHeard:
		m.superseded(ev.Refounding)
	case QuorumHeard:
		if m.council == nil {
			m.touch()
			m.current.known, m.current.behind = ev.Head, ev.Behind
			m.volunteer()
			m.lead(Led{Leader: ev.Leader, Term: ev.Term, Quorum: true})
		}
	case ClockMeasured:
		m.clockMeasured(ev)
	case Submitted:
		m.submitted(ev.Command)
	case HoldCame:
		if m.hear(ev.From, ev.Command, ev.Raw) {
			m.submitted(ev.Command)
		}
	case StepEnded:
		m.execute(m.executor.Step(now, ev.Done))
	case RenewalCame:
		m.renewal(ev)
	case GrantCame:
		m.grant(ev)
	case EnforcerTold:
		m.enforcer.told(now, ev)
	case FencerTold:
		m.fencer = fencer{can: ev.Can, heard: true}
	case SlotLapsed:
		m.execute(m.executor.Step(now, failover.Lapsed(ev)))
	case DoorTold:
		m.tellDoors(m.teller.Step(now, ev.Answer))
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
	if m.conducts() && !m.now.Before(m.conduct.Wake()) {
		m.conducted(failover.ConductorWoken{})
	}
	if m.ledger.Blocked() == "" && !m.now.Before(m.executor.Wake()) {
		m.execute(m.executor.Step(m.now, failover.ExecutorWoken{}))
	}
	m.renew()
	m.confirm()
	m.tellEnforcer()
	m.tellFencer()
	if m.ledger.Blocked() == "" && !m.now.Before(m.teller.Wake()) {
		m.tellDoors(m.teller.Step(m.now, failover.TellerWoken{Current: m.Current()}))
	}
	m.tellPresence()
	m.passOn()
	m.lookAfterCouncil()
	m.handIn()
	m.feedAnew()
	m.watchQuorum()
	m.askAhead()
}

// settle follows up on new facts until nothing moves any more: facts may make
// the conductor propose, and a lone councillor commits at once.
func (m *Mind) settle() {
	const rounds = 64 // far more than any chain of consequences
	for range rounds {
		m.rewatch()
		m.reseat()
		if len(m.applied) == 0 && !m.whole {
			return
		}
		if facts := m.applied; len(facts) > 0 {
			m.out = append(m.out, Keep{Facts: facts}, Applied{Facts: facts})
			m.wants.settled(facts)
		}
		m.applied, m.whole = nil, false
		m.lessor.Noticed(m.now)
		m.tenant()
		m.tally.Cascade(m.state.Brake().Mode() == failover.Cascade)
		m.tally.Anew(m.state.Brake().FallenDomain())
		if m.ledger.Blocked() == "" {
			m.execute(m.executor.Step(m.now, failover.ExecutorWoken{}))
			m.tellDoors(m.teller.Step(m.now, failover.TellerWoken{Current: m.Current()}))
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
		w = earliest(w, m.teller.Wake())
		w = earliest(w, m.tally.Wake())
		if m.conducts() {
			w = earliest(w, m.conduct.Wake())
		}
		if m.conduct != nil {
			w = earliest(w, m.lessor.Wake())
		}
	}
	w = earliest(w, m.anew.wake())
	return earliest(earliest(w, m.holder.Wake()), earliest(m.wants.wake(), m.orders.wake()))
}

func earliest(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}
