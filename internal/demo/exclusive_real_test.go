//go:build real

package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/gate"
	"moonwatch/internal/program"
	"moonwatch/member"
	"moonwatch/status"
)

// sole is a running cluster whose slots are exclusive, each member with a keeper.
type sole struct {
	*launcher

	witness *witness
	mu      sync.Mutex
	facts   []string // as the launcher's agent heard of them; under mu
	keepers map[member.ID]program.Process
	places  []string // where keepers own their slots' processes
}

// startSole brings the demo's cluster up with exclusive slots.
func startSole(ctx context.Context, t *testing.T) *sole {
	t.Helper()
	ownTemp(t)
	exe, err := moonwatch()
	must(t, err)
	l, err := newLauncher(Options{Err: os.Stderr, Exe: exe, Profile: "demo"})
	must(t, err)
	s := &sole{launcher: l, witness: newWitness(t), keepers: map[member.ID]program.Process{}}
	t.Cleanup(s.clearAway) // after what follows: keepers were killed, and left their places
	t.Cleanup(func() { must(t, l.close(t.Failed())) })
	t.Cleanup(func() {
		if t.Failed() {
			s.tellAll(t)
		}
	})
	begun := time.Now()
	enforced := map[member.ID]bool{}
	l.onFact = func(f consensus.Fact) {
		s.mu.Lock()
		s.facts = append(s.facts, fmt.Sprintf("%.1f s #%d %s", time.Since(begun).Seconds(), f.Index, status.Line(f)))
		s.mu.Unlock()
		if p, err := consensus.DecodePayload[failover.Enforcer](f); f.Command.Kind == failover.KindEnforcer && err == nil && p.Kind != "" {
			enforced[f.Command.Proposer] = true
		}
	}
	for _, c := range l.children {
		s.equip(t, exe, c)
	}
	must(t, s.up(ctx, func() bool { return len(enforced) == len(l.children) }))
	return s
}

// equip gives a member a keeper, and a service that enters it.
func (s *sole) equip(t *testing.T, exe string, c *child) {
	t.Helper()
	socket := filepath.Join(c.dir, "keeper.sock")
	path := filepath.Join(c.dir, "agent.yaml")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(text, fmt.Sprintf("keeper_socket: %q\n", socket)...), 0o600))

	path = filepath.Join(c.dir, "service.sh")
	text, err = os.ReadFile(path)
	must(t, err)
	begin := strings.Replace(string(text), `setsid "$exe" demo-service`,
		fmt.Sprintf("MOONWATCH_WITNESS=%s setsid \"$exe\" keeper enter --socket %s -- %s demo-witnessed",
			s.witness.conn.LocalAddr(), quote(socket), quote(testExe(t))), 1)
	if begin == string(text) {
		t.Fatal("service.sh does not start the service as it did")
	}
	must(t, os.WriteFile(path, []byte(begin), 0o600))

	log, err := os.Create(filepath.Join(c.dir, "keeper.log"))
	must(t, err)
	defer log.Close()
	cmd := exec.Command(exe, "keeper", "--socket", socket, "--dir", filepath.Join(c.dir, "keeper"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(t, cmd.Start())
	s.keepers[c.Name] = program.Identify(cmd.Process.Pid)
	await(t, "the keeper of "+string(c.Name)+" owns a place", func() bool {
		text, err := os.ReadFile(filepath.Join(c.dir, "keeper", "owns"))
		place := strings.TrimSpace(string(text)) // empty while it is being written
		if err == nil && place != "" {
			s.places = append(s.places, place)
		}
		return place != ""
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // gone is what is wanted
		_ = cmd.Wait()
	})
}

// clearAway takes away what killed keepers leave: gates, and cgroups, in which the process
// of a self-test may still sit, or one that was killed a moment ago.
func (s *sole) clearAway() {
	for _, place := range s.places {
		_ = gate.Clear(place) // there may be none
		if !filepath.IsAbs(place) {
			continue // sessions have no folder
		}
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			_ = os.WriteFile(filepath.Join(place, "cgroup.kill"), []byte("1"), 0o600) // version 1 has none, and nothing to clear away
			slots, _ := os.ReadDir(place)
			for _, x := range slots {
				_ = os.Remove(filepath.Join(place, x.Name())) // a file of the kernel's stays
			}
			if err := os.Remove(place); err == nil || errors.Is(err, os.ErrNotExist) {
				break
			}
		}
	}
}

// gateOf says whether the kernel holds back what a member's slot sends without a lease:
// whether its keeper has a gate that it has tested. Else it says why not.
func (s *sole) gateOf(ctx context.Context, t *testing.T, c *child) (bool, string) {
	t.Helper()
	var g door.Gate
	await(t, "the keeper of "+string(c.Name)+" has tested its gate, or has none", func() bool {
		st, err := door.Client{Socket: filepath.Join(c.dir, "keeper.sock")}.Status(ctx)
		g = st.Gate
		return err == nil && (g.None != "" || g.Test != "")
	})
	return g.Test == "good" && g.Name != "", cmp.Or(g.None, g.Test)
}

// tellAll is for whoever has to find out why it went otherwise: what was agreed on, and
// the last words of everybody.
func (s *sole) tellAll(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	t.Logf("facts:\n%s", strings.Join(s.facts, "\n"))
	s.mu.Unlock()
	for _, c := range s.children {
		for _, name := range []string{"agent.log", "keeper.log"} {
			text, err := os.ReadFile(filepath.Join(c.dir, name))
			lines := strings.Split(string(text), "\n")
			t.Logf("%s of %s: %v\n%s", name, c.Name, err, strings.Join(lines[max(0, len(lines)-lastWords):], "\n"))
		}
	}
}

const lastWords = 150

// up starts the agents, applies the fleet and waits until it serves and every keeper
// is known.
func (s *sole) up(ctx context.Context, enforced func() bool) error {
	l := s.launcher
	if err := becomeSubreaper(); err != nil {
		return err
	}
	background, quit := context.WithCancel(context.WithoutCancel(ctx))
	l.quit = quit
	l.background.Go(func() { l.reap(background) })
	for _, c := range l.children {
		if err := c.start(); err != nil {
			return err
		}
	}
	var err error
	if l.console, err = openConsole(ctx, l.kit, ears{fact: l.heardFact, page: l.heardPage, table: l.heardTable}); err != nil {
		return err
	}
	if err := l.lead(ctx); err != nil {
		return err
	}
	fleet, err := l.kit.fleet(l.present().Council.Leader)
	if err != nil {
		return err
	}
	fleet.Pools[0].Exclusive, fleet.Pools[0].Fence = true, []string{"self", "lease"}
	command, err := l.kit.signed(fleet, time.Now())
	if err == nil {
		err = l.console.submit(ctx, command)
	}
	if err != nil {
		return err
	}
	err = l.until(ctx, "not every slot is served, or not every keeper tested", func(p status.Page) bool {
		n := 0
		for _, x := range p.Slots {
			if x.State == status.SlotServing {
				n++
			}
		}
		return n == slots && enforced()
	})
	if err != nil {
		return err
	}
	l.say("%d exclusive slots are served, each under a lease", slots)
	// What is lost is lost from a fleet that works. One that has just started takes all
	// processors, and who stands still for that is in trouble beside the lost one.
	if err := wait(ctx, calmTime); err != nil {
		return err
	}
	return l.until(ctx, "the fleet is not calm", func(p status.Page) bool { return p.Mode.Name == failover.Normal })
}

// occupant of a slot that is not the leader, or the leader.
func (s *sole) occupant(leads bool) (*child, member.SlotID, error) {
	p := s.present()
	for _, x := range p.Slots {
		if (x.Occupant == p.Council.Leader) == leads {
			c, err := s.child(x.Occupant)
			return c, x.ID, err
		}
	}
	return nil, "", errors.New("no such occupant")
}

// member is all that runs on one: keeper first, as the kernel would run it no later
// than the others.
func (s *sole) member(c *child) []program.Process {
	all := []program.Process{s.keepers[c.Name]}
	if p, err := c.service(); err == nil {
		all = append(all, p)
	}
	return append(all, c.process)
}

func (s *sole) signal(c *child, sig syscall.Signal) error {
	var failed error
	for _, p := range s.member(c) {
		if err := send(p, sig); !errors.Is(err, os.ErrProcessDone) { // the keeper may go on first, and end it
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// loss is what came of one occupant of an exclusive slot that was lost.
type loss struct {
	Fault string `json:"fault"`
	OK    bool   `json:"ok"`
	// Served is from the loss to the next one's first write, Told to the page that says
	// so, Vacant from the old one's last write in time to the next one's first.
	Served int64 `json:"served_ms"`
	Told   int64 `json:"told_ms"`
	Vacant int64 `json:"vacant_ms"`
	// Writes are the old occupant's, Late those of them that reached the witness after
	// the next one's first. A receiver that looks at slot epochs refuses them; for one
	// that does not, each is an overlap. Double are writes of two members at one slot
	// epoch, an overlap for every receiver.
	Writes int `json:"writes"`
	Late   int `json:"late_writes"`
	Double int `json:"double_writes"`
	// Gated says that the old occupant's kernel held back what it sent without a lease:
	// then no write is late, for any receiver.
	Gated bool `json:"gated"`
}

// The ways in which an occupant is lost.
const (
	lostIsolated     = "isolate"       // it hears nobody, nobody hears it
	lostAgent        = "kill-agent"    // its service goes on
	lostFrozen       = "freeze"        // all of it stands still: service, keeper, agent
	lostFrozenLeader = "freeze-leader" // and it led the council
)

// lose lets the occupant of a slot be lost, waits until another one serves, brings the
// first one back 60 s after its loss, and says what the witness saw.
func (s *sole) lose(ctx context.Context, t *testing.T, fault string) loss {
	t.Helper()
	c, slot, err := s.occupant(fault == lostFrozenLeader)
	must(t, err)
	gated, why := s.gateOf(ctx, t, c)
	if !gated {
		t.Logf("%s has no gate, so %d late writes are let pass: %s", c.Name, lateWrites, why)
	}
	var before []reign
	await(t, string(c.Name)+" writes", func() bool {
		before = s.witness.of(slot)
		return len(before) > 0 && before[len(before)-1].by == c.Name
	})
	lost, lostAt := time.Now(), boottime.Now()
	switch fault {
	case lostIsolated:
		must(t, s.isolate(c, true))
	case lostAgent:
		must(t, c.signal(syscall.SIGKILL))
	default:
		must(t, s.signal(c, syscall.SIGSTOP))
	}
	must(t, s.until(ctx, fault+" of "+string(c.Name)+": nobody else serves "+string(slot), func(p status.Page) bool {
		for _, x := range p.Slots {
			if x.ID == slot {
				return x.Occupant != c.Name && x.State == status.SlotServing
			}
		}
		return false
	}))
	told := time.Since(lost)
	s.say("%s of %s: %s is served by another one after %.1f s", fault, c.Name, slot, told.Seconds())
	time.Sleep(time.Until(lost.Add(sixty())))
	switch fault {
	case lostIsolated:
		must(t, s.isolate(c, false))
	case lostAgent:
		must(t, c.restart())
	default:
		must(t, s.signal(c, syscall.SIGCONT))
	}
	time.Sleep(3 * time.Second) // it sees what has become of its slot
	after := s.witness.of(slot)
	if len(after) <= len(before) {
		t.Fatalf("the witness heard nobody new: %+v", after)
	}
	old, next := after[len(before)-1], after[len(before)]
	x := loss{
		Fault: fault, Told: told.Milliseconds(), Served: (next.first - lostAt).Milliseconds(),
		Vacant: (next.first - old.inTime).Milliseconds(), Writes: old.writes, Late: old.late, Double: old.double + next.double, Gated: gated,
	}
	s.say("the witness: served again after %d ms, %s wrote until %d ms before %s began; %d late writes of %d", x.Served, old.by, x.Vacant, next.by, x.Late, x.Writes)
	switch frozen := fault == lostFrozen || fault == lostFrozenLeader; {
	case (gated || !frozen) && old.late > 0, old.late > lateWrites:
		t.Errorf("%s of %s: %d writes at slot epoch %d came while %s wrote at %d: %+v", fault, c.Name, old.late, old.epoch, next.by, next.epoch, after)
	case x.Double > 0:
		t.Errorf("two members wrote at one slot epoch: %+v", after)
	case told < 5*time.Second:
		t.Errorf("served after %v: nobody waited for the lease", told)
	case x.Served > promised(fault).Milliseconds():
		s.tellAll(t) // no failure: the machine may have been too busy
	}
	return x
}

// promised is how soon a slot is served again with the timings of profile lan.
func promised(fault string) time.Duration {
	if fault == lostFrozenLeader {
		return 18 * time.Second
	}
	return 15 * time.Second
}

// lateWrites is what a service may manage to write between its own waking and its
// keeper's, when a whole member is stopped and goes on, where there is no gate
// (docs/adr/031): they carry an older slot epoch, and a receiver that looks at that
// refuses them.
const lateWrites = 20

// sixty is how long a member is lost: 60 s, or MOONWATCH_LOST.
func sixty() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("MOONWATCH_LOST")); err == nil {
		return d
	}
	return time.Minute
}

// TestAnExclusiveSlotIsNeverServedTwice loses the occupant of an exclusive slot in
// four ways, MOONWATCH_RUNS (1) times each, every time in a new cluster, with a
// witness that all occupants write to. What it measured is added to the file
// MOONWATCH_RESULTS, a line for each run (make bench-leases).
func TestAnExclusiveSlotIsNeverServedTwice(t *testing.T) {
	runs := 1
	if n, err := strconv.Atoi(os.Getenv("MOONWATCH_RUNS")); err == nil {
		runs = n
	}
	for _, fault := range []string{lostIsolated, lostAgent, lostFrozen, lostFrozenLeader} {
		for i := range runs {
			t.Run(fmt.Sprintf("%s-%d", fault, i+1), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
				defer cancel()
				s := startSole(ctx, t)
				x := s.lose(ctx, t, fault)
				x.OK = !t.Failed()
				t.Logf("%+v", x)
				x.keep(t)
			})
		}
	}
}

// keep adds a measurement to the file of all, in one write: others add to it too.
func (x loss) keep(t *testing.T) {
	t.Helper()
	path := os.Getenv("MOONWATCH_RESULTS")
	if path == "" {
		return
	}
	line, err := json.Marshal(x)
	must(t, err)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = f.Write(append(line, '\n'))
	must(t, errors.Join(err, f.Close()))
}
