package sim

import (
	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// What messages weigh, in bytes as the socket gets them: without the headers of
// UDP, TCP and IP. The layouts are those of internal/wire, agent/gossip (seal)
// and consensus/link, which a simulator may not import; TestSizesAreThoseOfTheWire
// holds the datagrams against the real codec. What serf sends for itself is not
// counted: research has it at 2 datagrams and 138 bytes a second per member.
const (
	sealBytes   = 1 + 12 + 16 // mark, nonce, tag of AES-GCM
	headBytes   = 2           // kind, length of the sender's name
	seqBytes    = 4           // a counter below 2^28, as a varint
	lifeBytes   = 6           // an incarnation, unix milliseconds
	signBytes   = 64          // Ed25519
	recordBytes = 4 + 22      // frame of the link, record of TLS 1.3
)

func probeBytes(m *machine) int  { return sealBytes + headBytes + len(m.id) + seqBytes }
func answerBytes(m *machine) int { return probeBytes(m) + lifeBytes + 1 }

func statementBytes(st *agent.Statement) int {
	n := sealBytes + headBytes + len(st.Observer) + signBytes + lifeBytes + seqBytes + 2 + 2 + 1 + 1 + 1 + 1
	for _, id := range st.Unreachable {
		n += 1 + len(id)
	}
	rolls := map[agent.RollID]bool{}
	for _, v := range st.Votes {
		n += 1 + 1 + len(v.Subject) + lifeBytes + 1
		if v.Evidence != (agent.Evidence{}) {
			n += 2 + 1 + 2 + 1 + min(len(v.Evidence.Detail), 24)
		}
		if !v.Roll.IsZero() {
			rolls[v.Roll] = true
		}
	}
	return n + 4*len(rolls)
}

func presenceBytes(m *machine, heard member.Places) int {
	return sealBytes + headBytes + len(m.id) + 2 + 1 + len(heard.Bits)
}

func rollBytes(m *machine, call agent.RollCall) int {
	n := sealBytes + headBytes + len(m.id) + signBytes + 4 + 1
	for _, id := range call.Subjects {
		n += 1 + len(id)
	}
	return n
}

func renewalBytes(r *agent.Renewal) int {
	return sealBytes + headBytes + len(r.Holder) + signBytes + lifeBytes + seqBytes + 1 + len(r.Slot) + 3 + 7 + 1
}

func grantBytes(m *machine, g *agent.Grant) int {
	r := &g.Renewal
	return sealBytes + headBytes + len(m.id) + signBytes + 1 + len(r.Holder) + lifeBytes + seqBytes + 1 + len(r.Slot) + 3 + 7 + 6*2
}

func raftBytes(m *raftpb.Message) int { return recordBytes + proto.Size(m) }

func factBytes(facts []consensus.Fact) int {
	n := recordBytes
	for i := range facts {
		n += len(facts[i].Bytes) + 100 // envelope: index, raft index, time, hash, outcome
	}
	return n
}

// count books one message that a machine sends.
func (m *machine) count(bytes int) {
	m.sentMessages++
	m.sentBytes += uint64(bytes)
}

// Sent is how many messages and bytes a member's agent has sent, answers to
// probes included.
func (w *World) Sent(id member.ID) (messages, bytes uint64) {
	m := w.machine(id)
	return m.sentMessages, m.sentBytes
}
