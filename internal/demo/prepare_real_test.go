//go:build real

package demo

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/status"
)

// The actions of a member that prepares: what it leaves behind is a file, and whether
// somebody listens on the service's port is no business of theirs.
const (
	prepares   = `here=${0%/actions/*}; echo $$ >"$here/preparing"; [ ! -e "$here/prepare.slow" ] || sleep 600; touch "$here/prepared"; rm "$here/preparing"`
	unprepares = `here=${0%/actions/*}; rm -f "$here/prepared" "$here/preparing"; touch "$here/unprepared"`
)

// prepare installs actions that prepare on every member, and lets the fleet use them.
func (c *broken) prepare(t *testing.T, change func(*member.Pool)) {
	t.Helper()
	for _, x := range c.l.children {
		actions := filepath.Join(x.dir, "actions")
		script(prepares)(t, filepath.Join(actions, "web-prepare"))
		script(unprepares)(t, filepath.Join(actions, "web-unprepare"))
	}
	fleet, err := config.LoadFleet(filepath.Join(c.l.kit.folder.path, "fleet.yaml"))
	must(t, err)
	p := &fleet.Pools[0]
	p.Actions.Prepare, p.Actions.Unprepare = "web-prepare", "web-unprepare"
	if change != nil {
		change(p)
	}
	c.order(t, consensus.KindFleet, fleet)
}

// order hands in a command of the operator, and waits until it stands.
func (c *broken) order(t *testing.T, kind consensus.FactKind, payload any) consensus.Fact {
	t.Helper()
	id := "test/" + string(kind) + "/" + time.Now().Format(time.RFC3339Nano)
	command, err := consensus.NewCommand(kind, id, operatorName, time.Now(), payload)
	must(t, err)
	o := c.l.kit.operator
	command.Warrant = &consensus.Warrant{
		Operator: operatorName, Key: o.PublicKey(), Grant: o.Grant, Signature: o.Sign(consensus.SignedText(cluster, command)),
	}
	raw, err := command.Encode()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must(t, c.l.console.submit(ctx, raw))
	var stands consensus.Fact
	c.await(t, string(kind), 30*time.Second, func(f consensus.Fact) bool {
		stands = f
		return f.Command.ID == id
	})
	return stands
}

func (c *broken) has(t *testing.T, id member.ID, file string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(c.l.kit.folder.memberDir(id), file))
	return err == nil
}

// duty is what the page says that a member is used for.
func (c *broken) duty(id member.ID) failover.Duty {
	p := c.l.present()
	i := slices.IndexFunc(p.Members, func(m status.Member) bool { return m.ID == id })
	return p.Members[i].Duty
}

// TestASecondSpareOvertakesOneThatPreparesSlowly: the first spare's program sleeps for
// ten minutes. After half of its deadline a second one prepares and goes live; the first
// one's program is ended, it takes back what it prepared, and is a spare again.
func TestASecondSpareOvertakesOneThatPreparesSlowly(t *testing.T) {
	ownTemp(t)
	c := openBroken(t, false)
	defer c.close(t)
	c.prepare(t, nil)
	p := c.l.present()
	victim := p.Members[slices.IndexFunc(p.Members, func(x status.Member) bool { return x.Duty == failover.Occupant && !x.Leader })]
	first := firstClaimed(p, victim)
	must(t, os.WriteFile(filepath.Join(c.l.kit.folder.memberDir(first), "prepare.slow"), nil, 0o600))
	lost, err := c.l.child(victim.ID)
	must(t, err)
	must(t, lost.kill())

	var order []member.ID
	c.await(t, "the cutover", 2*time.Minute, func(f consensus.Fact) bool {
		if f.Accepted && f.Command.Kind == failover.KindPrepare {
			x, err := consensus.DecodePayload[failover.PrepareOrdered](f)
			must(t, err)
			order = append(order, x.Spare)
		}
		return reaches(f, failover.Cutover)
	})
	if len(order) != 2 || order[0] != first {
		t.Fatalf("%v prepared, want %s and then another one", order, first)
	}
	if !c.has(t, order[1], "prepared") {
		t.Errorf("%s serves and has not prepared", order[1])
	}
	c.await(t, "the end of the case", time.Minute, func(f consensus.Fact) bool { return reaches(f, failover.Closed) })
	await(t, "the slow one to take back what it prepared", func() bool { return c.has(t, first, "unprepared") && !c.has(t, first, "prepared") })
	await(t, "the slow one to be a spare again", func() bool { return c.duty(first) == failover.Spare })
	if pids := doing(t, c.l.kit.folder.path, "web-prepare"); len(pids) > 0 {
		t.Errorf("processes %v still prepare", pids)
	}
}

// doing finds the processes that run an action of this cluster.
func doing(t *testing.T, dir, action string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err == nil && bytes.Contains(line, []byte(dir)) && bytes.Contains(line, []byte("/"+action+"\x00")) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}
