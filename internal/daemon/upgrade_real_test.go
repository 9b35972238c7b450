//go:build real && linux

package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/internal/client"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/sim/mutants"
	"moonwatch/status"
)

// rolling is a fleet of processes whose programs change one by one.
type rolling struct {
	*apart

	runs map[member.ID]*exec.Cmd
	log  map[member.ID]string // path of what its agents say
}

// build makes this program, or one of tomorrow.
func build(t *testing.T, dir string, m *mutants.Mutant) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	program, err := mutants.Hunt{Root: root, Dir: dir, Program: "moonwatch/cmd/moonwatch"}.Build(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// run starts a member's agent.
func (x *rolling) run(n member.ID, program string) {
	x.t.Helper()
	out, err := os.OpenFile(x.log[n], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		x.t.Fatal(err)
	}
	defer out.Close()
	c := exec.Command(program, "agent", "--config", x.writeConfig(n))
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		x.t.Fatal(err)
	}
	x.runs[n] = c
}

func (x *rolling) halt(n member.ID) {
	c := x.runs[n]
	if c == nil {
		return
	}
	x.runs[n] = nil
	_ = c.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(30*time.Second, func() { _ = c.Process.Kill() })
	defer late.Stop()
	_ = c.Wait() // also of one that has ended by itself
}

// change has a member run another program, as a package's upgrade does, and waits until
// nothing of it is to be seen. Nobody may see three new lives of it within a minute, which
// would be an accusation: agents that were started later have not seen the former ones.
func (x *rolling) change(n member.ID, program string) {
	x.t.Helper()
	x.halt(n)
	x.run(n, program)
	x.quiet()
}

// quiet waits until all agents are well and know the same, and wants that there was no
// verdict.
func (x *rolling) quiet() {
	x.t.Helper()
	for _, n := range x.names {
		p := x.await(n, "all is well", func(p status.Page) bool {
			for _, m := range p.Members {
				if m.Accused || !m.InView {
					return false
				}
			}
			return p.Knowledge.Current && p.Council.Leader != "" && len(p.Members) == len(x.names)
		})
		x.unharmed(n, p)
	}
}

func (x *rolling) unharmed(n member.ID, p status.Page) {
	x.t.Helper()
	if len(p.Verdicts) > 0 || len(p.Cases) > 0 {
		x.t.Fatalf("%s knows of verdicts %+v and cases %+v", n, p.Verdicts, p.Cases)
	}
}

// handIn has a member hand a command in, and asks it for a while what became of that. An
// agent gives others' commands up after a quarter of a minute: whoever wants one comes again.
func (x *rolling) handIn(n member.ID, command consensus.Command, within time.Duration) client.Outcome {
	x.t.Helper()
	c := x.client(n)
	defer c.Close()
	for end := time.Now().Add(within); ; {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := c.Submit(ctx, command)
		cancel()
		if err != nil {
			x.t.Fatal(err)
		}
		ctx, cancel = context.WithTimeout(context.Background(), min(10*time.Second, time.Until(end)))
		o, err := c.Wait(ctx, command.ID)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			x.t.Fatal(err)
		}
		if o.State != client.Pending || !time.Now().Before(end) {
			return o
		}
	}
}

// metric reads one of a member's numbers.
func (x *rolling) metric(n member.ID, name string) string {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+netip.AddrPortFrom(x.addrs[n], 7981).String()+"/metrics", nil)
	if err != nil {
		x.t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(v)
		}
	}
	x.t.Fatalf("%s tells no %s", n, name)
	return ""
}

func (x *rolling) said(n member.ID, words string) bool {
	b, err := os.ReadFile(x.log[n])
	return err == nil && strings.Contains(string(b), words)
}

// lookBack has a member ask all observers what they saw a moment ago, until each says as
// wanted: why it cannot tell, or, with no words, what it saw.
func (x *rolling) lookBack(n member.ID, wants map[member.ID]string) {
	x.t.Helper()
	c := x.client(n)
	defer c.Close()
	var last status.ObserversDocument
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		last, _, err = c.Observers(ctx, time.Now().Add(-20*time.Second)) // what is shown may be 15 s old
		cancel()
		if err != nil || last.Then == nil || last.Then.Partial {
			continue
		}
		same := 0
		for _, by := range last.Then.By {
			if want, asked := wants[by.Observer]; asked && (want == "" && !by.At.IsZero() || want != "" && strings.Contains(by.Trouble, want)) {
				same++
			}
		}
		if same == len(wants) {
			return
		}
	}
	x.t.Fatalf("not within 2 minutes at %s: %v; %+v", n, err, last.Then)
}

// TestBuildsOfTodayAndTomorrowRunBesideEachOther: members change to a program with one
// more kind of facts and one more field in a datagram, and back, one at a time; nobody is
// accused of anything, and the first fact of the new kind waits for the last of them. Two
// come from programs of before, which do not know a request that came later, or what is new
// in it: who asks them says so. The fleet has profile wan, so that a slow machine's restart
// is no silence.
func TestBuildsOfTodayAndTomorrowRunBesideEachOther(t *testing.T) {
	dir := t.TempDir()
	today, later := build(t, dir, nil), build(t, dir, &tomorrow)
	former := map[member.ID]string{"c": build(t, dir, &nowAlone), "d": build(t, dir, &untold)}
	names := []member.ID{"a", "b", "c", "d"}
	f := layFleet(t, names, func(i int) netip.Addr {
		return netip.AddrFrom4([4]byte{127, byte(os.Getpid()>>8)%200 + 10, byte(os.Getpid()), byte(i + 1)})
	})
	f.tune = func(n member.ID, c *config.Agent) {
		c.Profile, c.HTTP = member.ProfileWAN, ""
		c.Debug = netip.AddrPortFrom(f.addrs[n], 7981).String()
	}
	x := &rolling{apart: newApart(f, nil), runs: map[member.ID]*exec.Cmd{}, log: map[member.ID]string{}}
	t.Cleanup(func() {
		for _, n := range names {
			x.halt(n)
			x.unserve(n)
			if b, err := os.ReadFile(x.log[n]); err == nil && t.Failed() {
				t.Logf("%s said at last:\n%s", n, b[max(0, len(b)-4000):])
			}
		}
	})
	for _, n := range names {
		x.log[n] = filepath.Join(dir, string(n)+".log")
		x.serve(n)
		x.run(n, cmp.Or(former[n], today))
	}
	x.await("a", "a leader", func(p status.Page) bool { return p.Council.Leader != "" })
	fl := testFleet(f, 2)
	fl.Profile = member.ProfileWAN
	x.order(consensus.KindFleet, fl)
	x.quiet()

	t.Log("builds of before are asked what they saw then")
	x.lookBack("a", map[member.ID]string{"a": "", "b": "", "c": "its build tells of now alone", "d": "its build knows no such request"})

	t.Log("one member up, and down again")
	x.change("d", later)
	if bad := x.metric("a", "moonwatch_daemon_datagrams_bad_total"); bad != "0" {
		t.Errorf("a did not understand %s datagrams", bad)
	}
	x.change("d", today)

	t.Log("one after the other up: what is new waits for the last one")
	x.change("c", later)
	note := x.signed(kindOfTomorrow, map[string]string{"text": "good morning"})
	for _, n := range []member.ID{"b", "a", "d"} {
		if o := x.handIn("c", note, 3*time.Second); o.State != client.Pending {
			t.Fatalf("before %s is upgraded: %+v", n, o)
		}
		x.change(n, later)
	}
	o := x.handIn("c", note, 2*time.Minute)
	if o.State != client.Accepted {
		t.Fatalf("when all are upgraded: %+v", o)
	}
	x.quiet()
	for _, n := range names {
		for end := time.Now().Add(time.Minute); !x.said(n, fieldRead); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s has not read the new field", n)
			}
		}
		if bad := x.metric(n, "moonwatch_daemon_datagrams_bad_total"); bad != "0" {
			t.Errorf("%s did not understand %s datagrams", n, bad)
		}
	}

	t.Log("too late to go back: the old program keeps the fact, stops deciding, says why, and harms nobody")
	x.halt("c")
	x.run("c", today)
	p := x.await("c", "it knows what it does not know", func(p status.Page) bool {
		return strings.Contains(p.Knowledge.Blocked, kindOfTomorrow) && strings.Contains(p.Knowledge.Blocked, "upgrade it")
	})
	x.unharmed("c", p)
	fact := fmt.Sprintf("fact %d", o.Fact)
	if !strings.Contains(p.Knowledge.Blocked, fact) {
		t.Errorf("%q names no %s", p.Knowledge.Blocked, fact)
	}
	x.change("c", later)
	for _, n := range names {
		x.await(n, "one ledger", func(p status.Page) bool {
			return p.Knowledge.Blocked == "" && p.Knowledge.Hash == x.await("a", "a page", func(status.Page) bool { return true }).Knowledge.Hash
		})
	}
}
