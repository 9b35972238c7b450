//go:build real

package demo

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

// TestADrillNeverServesAndAFailureEndsIt: a spare prepares and takes it back, without
// having started anything. Then its next drill hangs, and a machine dies: the drill's
// program is ended, and the slot is served long before the drill's deadline.
func TestADrillNeverServesAndAFailureEndsIt(t *testing.T) {
	ownTemp(t)
	c := openBroken(t, false)
	defer c.close(t)
	c.prepare(t, nil)
	p := c.l.present()
	victim := p.Members[slices.IndexFunc(p.Members, func(x status.Member) bool { return x.Duty == failover.Occupant && !x.Leader })]
	spare := firstClaimed(p, victim)

	if f := c.order(t, failover.KindDrill, failover.DrillOrdered{Member: spare, Reason: "a test"}); !f.Accepted {
		t.Fatalf("the drill is refused: %s", f.Reason)
	}
	c.await(t, "the end of the drill", 2*time.Minute, func(f consensus.Fact) bool { return drilled(f, spare) })
	c.await(t, "the spare's word that it is taken back", time.Minute, func(f consensus.Fact) bool { return ofOwn(f, spare, failover.StepStop) })
	await(t, "the spare to take back what it prepared", func() bool { return c.has(t, spare, "unprepared") && !c.has(t, spare, "prepared") })
	if c.has(t, spare, "effects") {
		t.Errorf("%s has started the service in a drill", spare)
	}
	await(t, "the page to tell of the drill", func() bool {
		now := c.l.present()
		i := slices.IndexFunc(now.Members, func(m status.Member) bool { return m.ID == spare })
		d := now.Members[i].Drilled
		return d != nil && d.Good && now.Drill == nil && now.Members[i].Ready
	})

	dir := c.l.kit.folder.memberDir(spare)
	must(t, os.WriteFile(filepath.Join(dir, "prepare.slow"), nil, 0o600))
	must(t, os.Remove(filepath.Join(dir, "unprepared")))
	if f := c.order(t, failover.KindDrill, failover.DrillOrdered{Member: spare, Reason: "a test"}); !f.Accepted {
		t.Fatalf("the second drill is refused: %s", f.Reason)
	}
	await(t, "the drill's program", func() bool { return c.has(t, spare, "preparing") })
	must(t, os.Remove(filepath.Join(dir, "prepare.slow"))) // of what comes next
	lost, err := c.l.child(victim.ID)
	must(t, err)
	must(t, lost.kill())
	c.await(t, "the cutover", time.Minute, func(f consensus.Fact) bool {
		if drilled(f, spare) {
			t.Errorf("the drill came to an end by itself: %s", status.Line(f))
		}
		return reaches(f, failover.Cutover)
	})
	if !c.has(t, spare, "unprepared") {
		await(t, "the spare to take back what the drill prepared", func() bool { return c.has(t, spare, "unprepared") })
	}
	if pids := doing(t, c.l.kit.folder.path, "web-prepare"); len(pids) > 0 {
		t.Errorf("processes %v still prepare", pids)
	}
}

// drilled reports that a fact is a member's own word about its drill.
func drilled(f consensus.Fact, id member.ID) bool { return ofOwn(f, id, failover.StepPrepare) }

// ofOwn reports that a fact is a member's own word about a step that belongs to no case.
func ofOwn(f consensus.Fact, id member.ID, step failover.StepKind) bool {
	if f.Command.Kind != failover.KindReport || f.Command.Proposer != id || !f.Accepted {
		return false
	}
	r, err := consensus.DecodePayload[failover.Report](f)
	return err == nil && r.Case == 0 && r.Step == step
}
