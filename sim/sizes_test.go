package sim

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus/link"
	"moonwatch/internal/wire"
	"moonwatch/member"
)

func TestSizesAreThoseOfTheWire(t *testing.T) {
	m := &machine{id: "m-017"}
	const life, seq = 1767225600189, 300_000
	is := func(what string, got int, body []byte, err error) {
		t.Helper()
		want := len(body) + sealBytes
		if err != nil || got < want-3 || got > want+3 {
			t.Errorf("%s: %d bytes, on the wire %d, %v", what, got, want, err)
		}
	}
	b, err := wire.EncodeProbe(wire.Probe{From: m.id, Seq: seq})
	is("probe", probeBytes(m), b, err)
	b, err = wire.EncodeProbeAnswer(wire.ProbeAnswer{From: m.id, Seq: seq, Incarnation: life})
	is("answer", answerBytes(m), b, err)
	heard := member.Places{Roster: 300, Bits: make([]byte, 25)}
	parts, err := wire.EncodePresence(wire.Presence{From: m.id, Members: heard})
	is("presence", presenceBytes(m, heard), parts[0], err)

	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := wire.NewSigner("sim", m.id, key)
	if err != nil {
		t.Fatal(err)
	}
	call := agent.RollCall{ID: agent.RollID{Term: 3, N: 200}, Subjects: []member.ID{"m-001", "m-002"}}
	parts, err = signer.EncodeRollCall(call)
	is("roll call", rollBytes(m, call), parts[0], err)
	vote := agent.Vote{
		Subject: "m-001", Incarnation: life, Stance: agent.Down, Reason: agent.Silence,
		Evidence: agent.Evidence{SilentFor: 3 * time.Second, LostRun: 9, LossPct: 80},
	}
	for _, st := range []agent.Statement{
		{Observer: m.id, Incarnation: life, Seq: seq, Roster: 2, Life: 3 * time.Second},
		{Observer: m.id, Incarnation: life, Seq: seq, Roster: 2, Life: 3 * time.Second, Votes: []agent.Vote{vote}},
	} {
		b, err := signer.EncodeStatement(st)
		is("statement", statementBytes(&st), b, err)
	}
}

func TestAsManyAreFedAsByTheLink(t *testing.T) {
	if mostFed != link.MaxFollowers {
		t.Errorf("the model feeds %d, the link %d", mostFed, link.MaxFollowers)
	}
}

func TestWhatAMemberSendsIsCounted(t *testing.T) {
	w := demo(t, "lan", 60)
	m0, b0 := w.Sent("spare-0")
	run(t, w, 10*time.Second)
	m1, b1 := w.Sent("spare-0")
	// Twelve probes and as many answers a second, and little else.
	if n := m1 - m0; n < 240 || n > 300 || (b1-b0)/n < 35 || (b1-b0)/n > 80 {
		t.Errorf("%d messages of %d bytes in 10 s", n, (b1-b0)/n)
	}
}
