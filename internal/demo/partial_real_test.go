//go:build real

package demo

import (
	"errors"
	"slices"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

// cut shuts the gates between a member and some others, both ways.
func (l *launcher) cut(c *child, others []*child) error {
	var failed error
	for _, x := range others {
		failed = errors.Join(failed, x.shut(true, c.place), c.shut(true, x.place))
	}
	return failed
}

// A third of the observers reach the member, so nothing about it is proven, for
// however long the others go on accusing it. It is a spare, which no service
// check can excuse.
func TestAMemberThatAThirdReachesIsNeverDown(t *testing.T) {
	ownTemp(t)
	c := openBroken(t, false)
	defer c.close(t)
	p := c.l.present()
	spare := slices.IndexFunc(p.Members, func(m status.Member) bool { return m.Duty == failover.Spare && !m.Leader })
	subject, err := c.l.child(p.Members[spare].ID)
	must(t, err)
	var blind []*child
	domains := map[member.FailureDomain]bool{}
	for _, x := range c.l.children {
		if x != subject && x.Name != p.Council.Leader && len(blind) < 4 {
			blind = append(blind, x)
			domains[x.Domain] = true
		}
	}
	if len(blind) != 4 || len(domains) < 2 {
		t.Fatalf("%d observers of %d failure domains lose sight, want 4 of 2", len(blind), len(domains))
	}
	must(t, c.l.cut(subject, blind))
	until := time.After(15 * time.Second)
	partial := false
	for {
		select {
		case f := <-c.facts:
			c.heard = append(c.heard, f)
			v, err := consensus.DecodePayload[consensus.Verdict](f)
			if err != nil || f.Command.Kind != consensus.KindVerdict {
				continue
			}
			for _, x := range v.Findings {
				if x.Subject != subject.Name || x.Kind == consensus.VerdictDown {
					t.Fatalf("%s, which 2 of 6 observers reach: %s", subject.Name, status.Line(f))
				}
				partial = partial || x.Kind == consensus.VerdictPartial
			}
		case err := <-c.l.crashes:
			t.Fatal(err)
		case <-until:
			if !partial {
				t.Errorf("no verdict partial on %s", subject.Name)
			}
			return
		}
	}
}
