package sim

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/mind"
)

// machine is one member: its agent, its disk, the services on it.
type machine struct {
	w    *World
	i    int
	id   member.ID
	disk *disk
	feed feed
	book book

	listeners []int // who hears of facts from it, in the world's order

	on      bool       // the machine has power
	mind    *mind.Mind // nil: the agent does not run
	life    uint64     // grows when the agent starts or ends
	disks   int        // how often its ledger's file was made
	boots   uint64     // how often the power has gone
	born    member.Incarnation
	wake    time.Duration    // the next one that is arranged, 0: none
	paused  time.Duration    // until then the agent stands still
	halted  time.Duration    // and the services as well
	waiting []func(*machine) // what arrived while the agent stood still
	lasting lasting          // the faults that hold it
	slow    pace             // what all that it does takes longer
	clock   clock
	writer  writer
	duty    duty
	running map[member.SlotID]*service
	stopped map[member.SlotID]*service // what ran when the power went
	keeper  keeper

	sentMessages, sentBytes uint64
	sentNews                uint64 // of sentBytes, facts that a follower had not had

	ailed     time.Duration // when something last happened to it, for the checkers
	heard     time.Duration // when a word of the council last came
	emptied   time.Duration // when its disk was last lost
	lossyAt   time.Duration // when its links were last made or ended being lossy
	certified int           // how often it was given a certificate with another key
	stoodAt   time.Duration // when it last went on after standing still
}

// service is one slot's service process on a machine.
type service struct {
	epoch member.SlotEpoch
	sick  bool // runs and fails its check
}

// up reports that the agent runs and does not stand still.
func (m *machine) up() bool { return m.on && m.mind != nil && m.w.now >= m.paused }

// startSoon starts the agent as the members of a world are started: not all at
// the same instant.
func (m *machine) startSoon() {
	m.start(time.Duration(m.w.chance.next(streamStart, m.i, 0) % uint64(200*time.Millisecond)))
}

// start brings the agent up after a while.
func (m *machine) start(after time.Duration) {
	m.w.after(after, func() {
		switch {
		case !m.on || m.mind != nil || m.lasting.holds(KillAgent): // whose end starts it
			return
		case m.w.now < m.halted: // nothing starts on a machine that stands still
			m.start(m.halted - m.w.now)
			return
		case !m.opens():
			return
		}
		m.life++
		m.born = m.nextLife()
		cfg := mind.ForProfile(m.w.cfg.Fleet.Profile, m.id, m.born) // which its agent.yaml names, whatever is applied
		if m.disk.id == "" {
			if m.born <= m.w.checker.growth.lives[m.id] {
				m.w.leave("%s lost its disk and began a life while its clock was behind the last one's begin", m.id)
			}
			m.disks++
			m.disk.id = fmt.Sprintf("%s-%d", m.id, m.disks)
		}
		cfg.Folds, cfg.Disk, cfg.SameBuild = m.w.folds, m.disk.id, true
		if m.w.cfg.Mind != nil {
			cfg = m.w.cfg.Mind(cfg)
		}
		x, err := mind.New(cfg, m.disk.boot(), m.time())
		if err != nil {
			m.w.checker.fail(ruleKept, "start of %s: %v", m.id, err)
			return
		}
		m.listenTo("")
		m.paused, m.waiting = m.halted, nil // a new process stands still with its machine only
		m.mind, m.feed, m.wake, m.duty = x, feed{search: mind.Upstream{Spread: uint64(m.i)}}, 0, duty{}
		m.ail()
		m.w.checker.started(m)
		m.w.note(m.i, "start")
		m.w.tell(Happening{What: AgentStarted, Member: m.id})
		m.step(mind.Woken{})
		m.tellFences()
		m.keepsTelling(m.life)
		m.slander(m.life)
		m.forges(m.life)
		m.book.joined = 0
		m.join(m.life)
		m.follow(m.life)
		if slices.Contains(m.w.cfg.Council, m.id) || m.maySit() {
			m.watchClock(m.life, clockFirst)
		}
	})
}

// maySit reports that fleet.yaml allows the member in the council.
func (m *machine) maySit() bool {
	x, ok := m.w.checker.fold.Roster().Member(m.id)
	return ok && x.Council
}

// startAgain is how soon the machine's init starts an agent again that refused
// to start.
const startAgain = time.Second

// opens reports whether the agent finds its disk fit to start with, as the
// daemon looks at it. What passes by itself is tried again.
func (m *machine) opens() bool {
	refuse := func(why string) {
		m.w.note(m.i, "does not start: "+why)
		m.w.tell(Happening{What: AgentRefused, Member: m.id, Text: why})
	}
	switch {
	case m.disk.flipped:
		refuse("open ledger of " + string(m.id) + ": ledger.db: damaged: move that file away, and no other, and start again: the agent fetches the ledger from the others")
		return false
	case m.w.now < m.writer.full, m.w.now < m.writer.stalled:
		refuse("write incarnation: no space, or the disk does not answer")
		m.start(startAgain)
		return false
	case m.disk.emptied && !m.disk.seen && !m.findsCouncil():
		m.start(meetEvery) // the daemon waits, and answers no probe meanwhile
		return false
	}
	return true
}

// findsCouncil reports whether an emptied councillor sees another one that has a
// ledger, which makes it a follower. All of them emptied would found a new
// cluster: no run that keeps the protocol's assumptions comes there.
func (m *machine) findsCouncil() bool {
	if !slices.Contains(m.w.cfg.Council, m.id) {
		return true
	}
	return slices.ContainsFunc(m.w.those(m.w.cfg.Council), func(x *machine) bool { return x != m && m.reaches(x) && x.disk.seen })
}

// nextLife is the incarnation of this start: the time, and always higher than
// the last one's that the disk remembers, also when the clock was set back.
func (m *machine) nextLife() member.Incarnation {
	m.disk.life = max(member.Incarnation(m.time().UnixMilli()), m.disk.life+1)
	return m.disk.life
}

// deliver hands over what arrived; a machine that stands still gets it when it
// goes on, a dead one never.
func (m *machine) deliver(do func(*machine)) {
	if m.slow.more > 0 {
		m.w.after(m.slow.more, func() { m.take(do) })
		return
	}
	m.take(do)
}

func (m *machine) take(do func(*machine)) {
	switch {
	case !m.on || m.mind == nil:
	case m.w.now < m.paused:
		if len(m.waiting) < 4096 { // the kernel's buffers are finite too
			m.waiting = append(m.waiting, do)
		}
	default:
		do(m)
	}
}

// lag is how much later than usual the agent answers what comes now.
func (m *machine) lag() time.Duration { return max(0, m.paused-m.w.now) + m.slow.more }

// step gives the mind one event and carries out what it says.
func (m *machine) step(ev mind.Event) {
	if !m.up() {
		return
	}
	if ofTheCouncil(ev) {
		m.heard = m.w.now
	}
	if x, ok := ev.(mind.StatementCame); ok {
		m.w.checker.polls.hears(m, x.Statement)
	}
	now := m.time()
	for _, e := range m.mind.Step(now, ev) {
		m.carryOut(e)
	}
	m.arm(now)
}

// ofTheCouncil reports that an event carries a councillor's word about the
// council.
func ofTheCouncil(ev mind.Event) bool {
	_, feed := ev.(mind.QuorumHeard)
	_, raft := ev.(mind.RaftCame)
	return feed || raft
}

// arm arranges the next wake. One that was arranged for later finds that it is
// not the one that is waited for. Now is the time on the machine's clock.
func (m *machine) arm(now time.Time) {
	if m.mind == nil {
		return
	}
	at := m.w.now + max(m.clock.lasts(m.mind.Wake().Sub(now)), time.Microsecond) + m.slow.more
	if m.wake > m.w.now && m.wake <= at {
		return
	}
	m.wake = at
	m.w.wakeAt(at, m)
}

// woken is the wake that was arranged, or the end of a pause.
func (m *machine) woken() {
	if m.wake <= m.w.now && m.up() {
		m.wake = 0
		m.step(mind.Woken{})
	}
}

// carryOut does in the model what the daemon does in the world.
func (m *machine) carryOut(e mind.Effect) {
	w := m.w
	switch e := e.(type) {
	case mind.SendProbes:
		m.probe(e.Probes)
	case mind.RunCheck:
		m.check(e)
	case mind.SendStatement:
		m.say(e)
	case mind.PassOn:
		m.passOn(e)
	case mind.Acknowledge:
		m.acknowledge(e)
	case mind.TellPresence:
		w.datagram(m, e.To, presenceBytes(m, e.Members), func(x *machine) { x.step(mind.PresenceTold{Members: e.Members}) })
	case mind.SendRollCall:
		w.checker.polls.asks(m, e.Call)
		for _, id := range e.To {
			w.datagram(m, id, rollBytes(m, e.Call), func(x *machine) {
				if x.met(m) {
					x.step(mind.RollCame{From: m.id, Call: e.Call})
				}
			})
		}
	case mind.SendHold:
		for _, id := range e.To {
			w.datagram(m, id, sealBytes+headBytes+len(e.From)+signBytes+len(e.Command), func(x *machine) {
				x.step(mind.HoldCame{From: e.From, Command: e.Command, Raw: e.Command})
			})
		}
	case mind.SendRenewal:
		m.renewed(e)
	case mind.SendGrant:
		m.grants(e)
	case mind.PassLease:
		m.passLease(e)
	case mind.HandLease:
		m.handed(e.Lease)
	case mind.SendRaft:
		w.spoke(e)
		w.stream(m, e.To, raftBytes(e.Message), func(x *machine) { x.step(mind.RaftCame{From: m.id, Message: e.Message}) })
	case mind.Persist:
		w.checker.persisting(m, e)
		m.persist(e)
	case mind.Keep:
		m.keep(e.Facts)
	case mind.KeepSnapshot:
		w.checker.keeps(m, e)
		m.keepSnapshot(e)
	case mind.DoStep:
		m.act(e)
	case mind.AbortStep:
		m.abort(e.Key)
	case mind.TellDoor:
		m.tellDoor(e)
	case mind.Submit:
		w.stream(m, e.To, recordBytes+len(e.Command), func(x *machine) { x.step(mind.Submitted{Command: e.Command}) })
	case mind.Applied:
		m.applied(e.Facts)
	case mind.Led:
		w.noteLed(m, e)
	case mind.FeedAnew:
		m.listenTo("") // and to the next one soon, from where its ledger ends
	case mind.MeasureClock:
		life := m.life
		w.after(clockAsks, func() { m.compareClocks(life) })
	case mind.Noted:
	case mind.Broken:
		w.checker.fail(ruleAgree, "%v", e.Err)
	}
}

func (m *machine) applied(facts []consensus.Fact) {
	for _, f := range facts {
		m.w.checker.applied(m, f)
	}
	m.refit(facts)
	m.push()
}
