//go:build real

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

// says runs the shipped command line against the agent of a member, with the
// operator's key or without, and gives its exit status and what it printed.
func (c *broken) says(t *testing.T, signed bool, at member.ID, args ...string) (int, string) {
	t.Helper()
	exe, err := moonwatch()
	must(t, err)
	args = append(args, "--agent", "unix:"+filepath.Join(c.l.kit.folder.memberDir(at), "agent.sock"))
	if signed {
		args = append(args, "--operator-key", filepath.Join(c.l.kit.folder.path, "operator.key"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Dir = t.TempDir() // no operator.key lies there
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Logf("%s: exit %d: %s", strings.Join(args[:2], " "), cmd.ProcessState.ExitCode(), strings.TrimSpace(out.String()))
	return cmd.ProcessState.ExitCode(), out.String()
}

func (c *broken) wants(t *testing.T, code int, part string, signed bool, at member.ID, args ...string) {
	t.Helper()
	if got, out := c.says(t, signed, at, args...); got != code || !strings.Contains(out, part) {
		t.Errorf("%v: exit %d, want %d and %q: %s", args, got, code, part, out)
	}
}

func slotOf(p status.Page, id member.SlotID) status.Slot {
	return p.Slots[slices.IndexFunc(p.Slots, func(s status.Slot) bool { return s.ID == id })]
}

// People on real processes: a hold without a key binds the whole fleet, only a key
// lifts it, a drain has a floor, and a switchover fails no request.
func TestPeopleHoldDrainAndSwitchOver(t *testing.T) {
	ownTemp(t)
	c := openBroken(t, false)
	defer c.close(t)
	p := c.l.present()
	at := p.Members[slices.IndexFunc(p.Members, func(x status.Member) bool { return x.Leader })].ID

	// A drain, its floor, and back.
	a, b, last := p.Slots[0], p.Slots[1], p.Slots[2]
	c.wants(t, 0, "2. 4 of 5 slots", true, at, "drain", string(a.ID), "--dry-run")
	c.wants(t, 0, "is drained since fact", true, at, "drain", string(a.ID), "--reason", "looking")
	c.wants(t, 0, "is drained since fact", true, at, "drain", string(b.Occupant), "--reason", "looking")
	c.wants(t, 5, "2 of 5 slots of pool web would go on serving", true, at, "drain", string(last.ID), "--reason", "looking")
	c.wants(t, 2, "who signs this?", false, at, "undrain", string(a.ID))
	c.wants(t, 0, "has its traffic again", true, at, "undrain", string(a.ID))
	c.wants(t, 0, "has its traffic again", true, at, "undrain", string(b.ID))

	// A switchover, while requests come.
	c.wants(t, 0, "is the occupant, and the doors send traffic there", true, at, "switchover", string(a.ID), "--dry-run")
	before := c.l.load.tally()
	c.wants(t, 0, string(a.ID)+" at slot epoch", true, at, "switchover", string(a.ID), "--reason", "new kernel")
	await(t, "the old occupant's return", func() bool {
		p := c.l.present()
		i := slices.IndexFunc(p.Members, func(x status.Member) bool { return x.ID == a.Occupant })
		return p.Members[i].Duty == failover.Spare && len(p.Members[i].Leftover) == 0 && slotOf(p, a.ID).Occupant != a.Occupant
	})
	after := c.l.load.tally()
	if failed := len(after.Failed) - len(before.Failed); failed > 0 || after.Requests == before.Requests {
		t.Errorf("%d of %d requests failed in the switchover: %v", failed, after.Requests-before.Requests, after.Failed)
	}

	// A hold that nobody signed; what it binds; and who lifts it.
	c.wants(t, 0, "stands: hold of fleet", false, at, "hold", "fleet", "--reason", "the switch is replaced", "--for", "10m")
	c.wants(t, 2, "who signs this?", false, at, "freeze", "fleet", "--reason", "r")
	c.wants(t, 5, "the switch is replaced", true, at, "switchover", string(b.ID), "--reason", "r")
	victim := slotOf(c.l.present(), last.ID)
	if victim.Occupant == at {
		victim = slotOf(c.l.present(), b.ID)
	}
	lost, err := c.l.child(victim.Occupant)
	must(t, err)
	must(t, lost.kill())
	await(t, "the held case", func() bool {
		return slices.ContainsFunc(c.l.present().Cases, func(x status.Case) bool { return x.Open && x.Held == failover.HeldHold })
	})
	time.Sleep(5 * time.Second) // a replacement would have begun three seconds after the silence
	if s := slotOf(c.l.present(), victim.ID); s.Occupant != victim.Occupant {
		t.Errorf("%s was replaced by %s under a hold", victim.Occupant, s.Occupant)
	}
	c.wants(t, 2, "who signs this?", false, at, "resume", "fleet")
	c.wants(t, 0, "Lifted: H-", true, at, "resume", "fleet", "--reason", "it is replaced")
	await(t, "the replacement", func() bool { return slotOf(c.l.present(), victim.ID).Occupant != victim.Occupant })
	_, out := c.says(t, false, at, "holds", "-o", "json")
	var holds struct{ Holds []status.Hold }
	if err := json.Unmarshal([]byte(out), &holds); err != nil || len(holds.Holds) != 0 {
		t.Errorf("still held: %s (%v)", out, err)
	}
}
