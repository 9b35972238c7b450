//go:build real

package demo

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/program"
	"moonwatch/member"
	"moonwatch/status"
)

// moments are the states of a case in which all agents are killed, the most
// telling ones first. The case is somewhere in the state, for the launcher
// hears of it a little later and then waits for chance.
var moments = []failover.CaseState{
	failover.Activating, failover.Draining, failover.Verifying, failover.Fencing, failover.Cutover,
}

// TestACaseIsFinishedOnceAlthoughAllAgentsAreKilledInIt kills one member, and
// in the middle of its case every other agent, and starts these again. Two
// moments are tried, MOONWATCH_RUNS more than that.
func TestACaseIsFinishedOnceAlthoughAllAgentsAreKilledInIt(t *testing.T) {
	runs := 2
	if n, err := strconv.Atoi(os.Getenv("MOONWATCH_RUNS")); err == nil {
		runs = n
	}
	for run := range runs {
		moment := moments[run%len(moments)]
		t.Run(string(moment), func(t *testing.T) {
			ownTemp(t)
			c := openBroken(t, moment == failover.Activating)
			defer c.close(t)
			c.killInTheMiddle(t, moment)
			c.wantFinishedOnce(t)
		})
	}
}

// broken is a cluster of real processes that is being mistreated.
type broken struct {
	l      *launcher
	facts  chan consensus.Fact
	victim victim
	heard  []consensus.Fact // of the case and after
	words  *strings.Builder // the launcher's; read after close
}

// openBroken starts a cluster whose activations leave a mark, and take a while
// if slow.
func openBroken(t *testing.T, slow bool) *broken {
	t.Helper()
	exe, err := moonwatch()
	must(t, err)
	c := &broken{facts: make(chan consensus.Fact, factQueue), words: new(strings.Builder)}
	o := Options{Once: true, Exe: exe, Err: c.words}
	must(t, o.complete())
	c.l, err = newLauncher(o)
	must(t, err)
	c.l.onFact = func(f consensus.Fact) { c.facts <- f }
	for _, x := range c.l.children {
		leaveMarks(t, x.dir, slow)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	if err := c.l.start(ctx); err != nil {
		c.close(t)
		t.Fatalf("%v\n%s", err, c.words)
	}
	return c
}

func (c *broken) close(t *testing.T) {
	t.Helper()
	if t.Failed() {
		for _, f := range c.heard {
			t.Logf("%s  #%d %s", f.Time.Format("15:04:05.000"), f.Index, status.Line(f))
		}
		for _, x := range c.l.children {
			for _, line := range x.lastLines(8) {
				t.Logf("%s: %s", x.Name, line)
			}
		}
	}
	must(t, c.l.close(false))
	wantNothingLeft(t)
}

// leaveMarks makes the member's web-start write down the slot epoch of each run
// that has an effect.
func leaveMarks(t *testing.T, dir string, slow bool) {
	t.Helper()
	path := filepath.Join(dir, "actions", "web-start")
	text, err := os.ReadFile(path)
	must(t, err)
	deed := "\necho \"$MOONWATCH_SLOT $MOONWATCH_SLOT_EPOCH\" >>\"$here/effects\"\n"
	if slow {
		deed += "[ \"$MOONWATCH_CASE\" = - ] || sleep 1\n" // the first activations are not the story
	}
	marked := strings.Replace(string(text), "\nend\n", deed+"end\n", 1)
	if marked == string(text) {
		t.Fatal("web-start has no line `end`: where does its effect begin?")
	}
	must(t, os.WriteFile(path, []byte(marked), 0o700))
}

// killInTheMiddle crashes a member, waits until its case has reached the
// moment, kills every agent and starts all but the victim's again.
func (c *broken) killInTheMiddle(t *testing.T, moment failover.CaseState) {
	t.Helper()
	ids, err := pick(FaultKill, c.l.present(), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	must(t, err)
	victims, err := c.l.holdings(ids)
	must(t, err)
	c.victim = victims[0]
	_, err = c.l.strike(FaultKill, victims)
	must(t, err)
	c.await(t, string(moment), 20*time.Second, func(f consensus.Fact) bool { return reaches(f, moment) })
	pause := rand.N(200 * time.Millisecond)
	time.Sleep(pause)
	var others []*child
	for _, x := range c.l.children {
		if x.Name != c.victim.Member {
			others = append(others, x)
		}
	}
	for _, x := range others {
		must(t, x.signal(syscall.SIGKILL))
	}
	for _, x := range others {
		must(t, x.restart())
	}
	t.Logf("%s of %s lost; all agents killed %v after %s", c.victim.Slot, c.victim.Member, pause.Round(time.Millisecond), moment)
}

// reaches reports that a fact brings a case into a state.
func reaches(f consensus.Fact, s failover.CaseState) bool {
	if !f.Accepted {
		return false
	}
	switch f.Command.Kind {
	case failover.KindCaseOpened:
		return s == failover.Draining
	case failover.KindCaseStep:
		p, err := consensus.DecodePayload[failover.CaseStep](f)
		return err == nil && p.To == s
	case failover.KindReport:
		p, err := consensus.DecodePayload[failover.Report](f)
		return err == nil && p.Case != 0 && p.Done && p.Step != failover.StepPrepare && s == failover.Verifying
	default:
		return false
	}
}

// await hears facts until the one that is wanted.
func (c *broken) await(t *testing.T, what string, within time.Duration, wanted func(consensus.Fact) bool) {
	t.Helper()
	late := time.After(within)
	for {
		select {
		case f := <-c.facts:
			c.heard = append(c.heard, f)
			if wanted(f) {
				return
			}
		case err := <-c.l.crashes:
			t.Fatal(err)
		case <-late:
			t.Fatalf("%s: not within %v", what, within)
		}
	}
}

// finishTime is what the case may take after the agents came back: an election,
// a fresh roll call, and the activation once more where the first one was cut
// in two.
const finishTime = 30 * time.Second

// wantFinishedOnce waits for the end of the case and looks at what became of it.
func (c *broken) wantFinishedOnce(t *testing.T) {
	t.Helper()
	c.await(t, "the end of the case", finishTime, func(f consensus.Fact) bool { return reaches(f, failover.Closed) })
	await(t, "all agents of one mind", c.ofOneMind)
	cutovers, condemned := 0, []member.ID{}
	for _, f := range c.heard {
		if reaches(f, failover.Cutover) {
			cutovers++
		}
		if v, err := consensus.DecodePayload[consensus.Verdict](f); err == nil && f.Command.Kind == consensus.KindVerdict {
			for _, x := range v.Findings {
				if x.Kind != consensus.VerdictUp && x.Subject != c.victim.Member {
					condemned = append(condemned, x.Subject)
				}
			}
		}
	}
	if cutovers != 1 {
		t.Errorf("%d cutovers, want 1", cutovers)
	}
	if len(condemned) > 0 {
		t.Errorf("%v condemned for a restart of their agents", condemned)
	}
	p := c.l.present()
	slot := p.Slots[slices.IndexFunc(p.Slots, func(s status.Slot) bool { return s.ID == c.victim.Slot })]
	if slot.State != status.SlotServing || slot.Occupant == c.victim.Member || slot.Epoch <= c.victim.Epoch {
		t.Errorf("%+v, want another occupant than %s that serves", slot, c.victim.Member)
	}
	await(t, "one process that serves "+string(slot.ID), func() bool {
		on := c.serving(slot.ID)
		return len(on) == 1 && on[0] == slot.Occupant
	})
	c.wantNoEffectTwice(t)
}

// ofOneMind reports that all agents but the victim's show the same ledger.
func (c *broken) ofOneMind() bool {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	want := c.l.present().Knowledge
	for _, x := range c.l.children {
		if x.Name == c.victim.Member {
			continue
		}
		p, err := askPage(context.Background(), client, netip.AddrPortFrom(x.Addr, portHTTP))
		if err != nil || p.Knowledge.Head != want.Head || p.Knowledge.Hash != want.Hash {
			return false
		}
	}
	return true
}

// serving lists the members on which a process serves the slot.
func (c *broken) serving(slot member.SlotID) []member.ID {
	var on []member.ID
	for _, x := range c.l.children {
		text, err := os.ReadFile(filepath.Join(x.dir, "service.pid"))
		if err != nil {
			continue
		}
		p, err := readPID(filepath.Join(x.dir, "service.pid"))
		if err == nil && p.Fate() == program.Runs && slices.Contains(strings.Fields(string(text)), string(slot)) {
			on = append(on, x.Name)
		}
	}
	return on
}

// wantNoEffectTwice reads the marks of all members: a slot epoch is of one
// attempt on one member.
func (c *broken) wantNoEffectTwice(t *testing.T) {
	t.Helper()
	seen := map[string]member.ID{}
	for _, x := range c.l.children {
		text, err := os.ReadFile(filepath.Join(x.dir, "effects"))
		if err != nil {
			continue // a spare that was not needed
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			first, again := seen[line]
			// The founding slot epochs are shared by slots, so the mark names both.
			if again {
				t.Errorf("activated twice: slot and slot epoch %s, on %s and on %s", line, first, x.Name)
			}
			seen[line] = x.Name
		}
	}
	t.Logf("activations: %v; %d facts", seen, len(c.heard))
}
