//go:build real

package demo

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/testbed"
	"moonwatch/member"
)

// TestALeaderWhoseClockJumpsByAnHourHandsOverAndNobodyIsCondemned makes the wall clock of
// the leading agent jump, and that of a member that does not lead the other way. Nobody
// is condemned or replaced for it, somebody else leads when clocks have been compared,
// and whoever dies then is replaced as ever, while both clocks are wrong; no fact is dated by them. The leader's
// goes back, before its own certificate begins; with MOONWATCH_RUNS another one's ahead.
func TestALeaderWhoseClockJumpsByAnHourHandsOverAndNobodyIsCondemned(t *testing.T) {
	jumps := []time.Duration{-time.Hour}
	if os.Getenv("MOONWATCH_RUNS") != "" {
		jumps = append(jumps, time.Hour)
	}
	for _, ahead := range jumps {
		t.Run(ahead.String(), func(t *testing.T) {
			ownTemp(t)
			c := openBroken(t, false)
			defer c.close(t)
			led := c.l.present().Council.Leader
			var other member.ID
			for _, x := range c.l.children {
				if x.Name != led {
					other = x.Name
					break
				}
			}
			c.setClock(t, led, ahead)
			c.setClock(t, other, -ahead)
			began := time.Now()
			c.until(t, "another leader", 2*time.Minute, func() bool {
				now := c.l.present().Council.Leader
				return now != "" && now != led && now != other
			})
			t.Logf("%s led, and hands over after %v", led, time.Since(began).Round(time.Second))
			c.wantNobodyCondemned(t, "")

			victim := c.victimBut(t, led, other)
			x, err := c.l.child(victim)
			must(t, err)
			must(t, x.kill())
			c.await(t, "the end of the case", time.Minute, func(f consensus.Fact) bool { return reaches(f, failover.Closed) })
			c.wantNobodyCondemned(t, victim)
			c.setClock(t, led, 0)
			c.setClock(t, other, 0)
			cutovers := 0
			for i, f := range c.heard {
				if reaches(f, failover.Cutover) {
					cutovers++
				}
				if i > 0 && f.Time.Before(c.heard[i-1].Time) {
					t.Errorf("#%d is of %v, and the one before of %v", f.Index, f.Time, c.heard[i-1].Time)
				}
				if off := time.Until(f.Time); off > time.Second {
					t.Errorf("#%d of %s is dated %v ahead", f.Index, f.Command.Proposer, off)
				}
			}
			if cutovers != 1 {
				t.Errorf("%d cutovers, want one", cutovers)
			}
		})
	}
}

func (c *broken) setClock(t *testing.T, id member.ID, ahead time.Duration) {
	t.Helper()
	x, err := c.l.child(id)
	must(t, err)
	testbed.SetClock(t, x.process.PID, ahead)
}

// until hears facts until something has come about.
func (c *broken) until(t *testing.T, what string, within time.Duration, come func() bool) {
	t.Helper()
	late := time.After(within)
	for {
		select {
		case f := <-c.facts:
			c.heard = append(c.heard, f)
		case err := <-c.l.crashes:
			t.Fatal(err)
		case <-late:
			t.Fatalf("%s: not within %v", what, within)
		case <-time.After(50 * time.Millisecond):
		}
		if come() {
			return
		}
	}
}

// wantNobodyCondemned looks at all verdicts so far: there may be some about but alone.
func (c *broken) wantNobodyCondemned(t *testing.T, but member.ID) {
	t.Helper()
	for _, f := range c.heard {
		v, err := consensus.DecodePayload[consensus.Verdict](f)
		if err != nil || f.Command.Kind != consensus.KindVerdict {
			continue
		}
		for _, x := range v.Findings {
			if x.Subject != but {
				t.Errorf("#%d: %s is %s, want nobody condemned for a clock", f.Index, x.Subject, x.Kind)
			}
		}
	}
}

// victimBut is an occupant that does not lead, and none of these.
func (c *broken) victimBut(t *testing.T, but ...member.ID) member.ID {
	t.Helper()
	for range 100 {
		ids, err := pick(FaultKill, c.l.present(), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
		must(t, err)
		if ids[0] != but[0] && ids[0] != but[1] {
			return ids[0]
		}
	}
	t.Fatal("nobody else can be lost")
	return ""
}
