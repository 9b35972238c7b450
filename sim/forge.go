package sim

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// A forger is an agent in wrong hands that goes further than a liar: it hands in
// what only the council may decide, and answers the leader in the names of
// councillors. Its certificate still says who it is. A councillor that forges is
// more than the protocol stands, so a forger that sits in the council keeps
// quiet.

// forgeEvery is the pace of a forger: each of its commands is refused in the
// ledger, and a ledger has better uses.
const forgeEvery = 2 * time.Second

// forges lets a machine forge until it is told otherwise.
func (m *machine) forges(life uint64) {
	if !m.lasting.holds(Forge) || m.life != life || m.mind == nil {
		return
	}
	if l := m.mind.Leading(); m.up() && !m.mind.Councillor() && l.Leader != "" {
		m.forgeVerdict(l)
		m.forgeReports(l)
		m.forgeAnswers(l)
	}
	m.w.after(forgeEvery, func() { m.forges(life) })
}

// forgeVerdict hands in a verdict on the next member, in the name of all its
// observers.
func (m *machine) forgeVerdict(l mind.Led) {
	w, ledger := m.w, m.mind.Ledger()
	x := w.machines[int(w.now/forgeEvery)%len(w.machines)]
	observers := ledger.Overlay().ObserversOf(x.id)
	n := len(observers)
	count := consensus.Count{Assigned: n, Standing: n, Eligible: n, Needed: n, Downs: n}
	for _, id := range observers {
		count.Votes = append(count.Votes, consensus.VoteCount{
			Observer: id, Domain: ledger.Roster().Domain(id), Stance: agent.Down, Reason: agent.Silence,
		})
	}
	v := consensus.Verdict{Term: l.Term, Roster: ledger.Roster().Epoch, Findings: []consensus.Finding{{
		Subject: x.id, Incarnation: x.born, Kind: consensus.VerdictDown, SilentSince: m.time().Add(-time.Minute),
		Agent: count, Service: count,
	}}}
	m.forge(l, consensus.KindVerdict, string(x.id), v)
}

// forgeReports hands in that every step which somebody has to do is done.
func (m *machine) forgeReports(l mind.Led) {
	for _, c := range m.mind.State().OpenCases() {
		if executor, step, epoch, due := c.Step(); due && executor != m.id {
			m.forge(l, failover.KindReport, c.Name(), failover.Report{
				Case: c.ID, Attempt: c.Attempt, Step: step, Slot: c.Slot, Epoch: epoch, Done: true,
			})
		}
	}
}

// forge hands a command to the leader, under the machine's own name: that much
// its certificate shows.
func (m *machine) forge(l mind.Led, kind consensus.FactKind, name string, payload any) {
	c, err := consensus.NewCommand(kind, fmt.Sprintf("forged/%s/%d/%s", m.id, m.w.now, name), m.id, m.time(), payload)
	if err != nil {
		panic(fmt.Sprintf("sim: forge a %s: %v", kind, err)) // it is plain data
	}
	b, err := c.Encode()
	if err != nil {
		panic(fmt.Sprintf("sim: forge a %s: %v", kind, err))
	}
	m.w.stream(m, l.Leader, recordBytes+len(b), func(x *machine) { x.step(mind.Submitted{Command: b}) })
}

// forgeAnswers tells the leader, in the name of every other councillor, that its
// next entries are on their disks.
func (m *machine) forgeAnswers(l mind.Led) {
	for _, s := range m.mind.Ledger().Seats().Voters {
		if s.Member == l.Leader {
			continue
		}
		msg := &raftpb.Message{
			Type: raftpb.MsgAppResp.Enum(), From: new(s.ID), To: new(m.raftID(l.Leader)),
			Term: new(l.Term), Index: new(m.mind.Ledger().Raft() + 3),
		}
		m.w.stream(m, l.Leader, raftBytes(msg), func(x *machine) { x.step(mind.RaftCame{From: m.id, Message: msg}) })
	}
}

// raftID is a councillor's number in raft.
func (m *machine) raftID(id member.ID) uint64 {
	for _, s := range m.mind.Ledger().Seats().Voters {
		if s.Member == id {
			return s.ID
		}
	}
	return 0
}
