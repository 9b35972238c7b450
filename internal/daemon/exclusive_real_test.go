//go:build real && linux

package daemon

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"moonwatch/failover"
	"moonwatch/internal/boottime"
	"moonwatch/internal/config"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/unit"
	"moonwatch/internal/sdnotify"
	"moonwatch/member"
	"moonwatch/status"
)

// TestMain lets the test binary stand in for agent, keeper and service.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "as" {
		if err := as(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(75)
		}
		return
	}
	os.Exit(m.Run())
}

func as(what string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch what {
	case "sitter":
		unit.Sit(os.Stdout)
	case "keeper": // SOCKET DIR
		u, err := unit.Open(keeperConfig(args[0], args[1]))
		if err != nil {
			return err
		}
		return u.Run(ctx)
	case "enter": // --socket S --slot X --slot-epoch N -- PROGRAM
		epoch, err := strconv.ParseUint(args[5], 10, 64)
		if err != nil {
			return err
		}
		return unit.Enter(ctx, args[1], member.SlotID(args[3]), member.SlotEpoch(epoch), args[7:])
	case "agent": // CONFIG [MARKS OF ADDRESSES]
		cfg, err := config.LoadAgent(args[0], nil, nil)
		if err != nil {
			return err
		}
		log := zap.NewNop()
		if os.Getenv("MOONWATCH_TEST_LOG") != "" {
			log = zap.Must(zap.NewDevelopment()).Named(string(cfg.Name))
		}
		c := Config{Agent: cfg, Log: log, ActionsOfSelf: true, Enter: self("enter"), Addresses: strings.Join(args[1:], "")}
		c.Notify, c.NotifyEvery = sdnotify.From(os.Getenv)
		d, err := New(c)
		if err != nil {
			return err
		}
		return d.Run(ctx)
	case "service": // WITNESS MEMBER EPOCH ADDRESS: it writes down that it serves
		stop()
		go http.ListenAndServe(args[3], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, args[1]) })) //nolint:errcheck // it serves as long as it can
		f, err := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		for ; err == nil; time.Sleep(10 * time.Millisecond) {
			_, err = fmt.Fprintln(f, args[1], args[2], int64(boottime.Now()))
		}
		return err
	}
	return asClient(ctx, what, args)
}

func self(what string, args ...string) []string {
	return append([]string{"/proc/self/exe", "as", what}, args...)
}

func keeperConfig(socket, dir string) unit.Config {
	return unit.Config{Socket: socket, Dir: dir, Cgroup: "auto", Sitter: self("sitter")}
}

// exclusive is a fleet with one exclusive slot, which every member can take. The
// victim is its occupant and no councillor: agent and keeper are processes of
// their own. All services write to one witness.
type exclusive struct {
	*fleet
	victim  member.ID
	witness string
	keeper  *exec.Cmd
	agent   *exec.Cmd
}

func newExclusive(t *testing.T) *exclusive {
	t.Helper()
	x := &exclusive{victim: "m4"}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	x.fleet = newFleet(t, []member.ID{"m1", "m2", "m3", "m4"}, func(f *fleet) {
		x.fleet, x.witness = f, filepath.Join(f.dir, "witness")
		f.enter = []string{exe, "as", "enter"}
		f.keepers = func(n member.ID) string { return filepath.Join(f.dir, string(n), "k") }
		start := "#!/bin/sh\nsetsid " + exe + " as service " + x.witness + ` "$MOONWATCH_MEMBER" "$MOONWATCH_SLOT_EPOCH" "$(cat ` + f.dir + `/$MOONWATCH_MEMBER/address)" </dev/null >/dev/null 2>&1 &` + "\n"
		for name, text := range map[string]string{"db-start": start, "db-stop": "#!/bin/sh\n"} {
			x.put(filepath.Join("actions.d", name), text, 0o755)
		}
		for _, n := range f.names {
			x.put(filepath.Join(string(n), "address"), fmt.Sprintf("%s:%d", f.addrs[n], f.port), 0o600)
			if n != x.victim {
				x.keep(n)
			}
		}
	})
	for _, n := range x.names {
		x.unserve(n)
	}
	x.stop(x.victim)
	x.put(filepath.Join(string(x.victim), "agent.yaml"), string(config.RenderAgent(*x.config(x.victim))), 0o600)
	x.startKeeper()
	x.startAgent()
	x.until("m1", "a leader", 30*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	fl := testFleet(x.fleet, 1)
	p := &fl.Pools[0]
	p.Name, p.Slots, p.Exclusive, p.Fence, p.Drivers = "db", []member.SlotID{"db-0"}, true, []string{"lease"}, nil
	p.Actions = member.Actions{Activate: "db-start", Stop: "db-stop"}
	for i := range fl.Members {
		fl.Members[i].Pool = "db"
		fl.Members[i].Council = fl.Members[i].ID != x.victim
	}
	slices.Reverse(fl.Members) // the victim takes the slot
	x.names = []member.ID{"m4", "m3", "m2", "m1"}
	x.apply(fl)
	x.until("m1", "the victim serves", 60*time.Second, func(status.Page) bool { return len(x.lines()) > 0 })
	if who := x.lines()[0].member; who != x.victim {
		t.Fatalf("%s serves, want the victim", who)
	}
	// A lease proves something from when the ledger knows its enforcer on.
	x.until("m1", "all have said which enforcer they have", 30*time.Second, func(p status.Page) bool {
		told := map[string]bool{}
		for _, f := range p.Facts {
			if f.Kind == failover.KindEnforcer && strings.Contains(f.Line, "tested") {
				told[string(f.By)] = true
			}
		}
		return len(told) == 4
	})
	return x
}

func (x *exclusive) put(name, text string, mode os.FileMode) {
	x.t.Helper()
	if err := os.WriteFile(filepath.Join(x.dir, name), []byte(text), mode); err != nil {
		x.t.Fatal(err)
	}
}

// keep runs a member's keeper in this process.
func (x *exclusive) keep(n member.ID) {
	x.t.Helper()
	u, err := unit.Open(keeperConfig(x.keepers(n), filepath.Join(x.dir, string(n), "keeper")))
	if err != nil {
		x.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	x.t.Cleanup(func() {
		c := door.Client{Socket: x.keepers(n)}
		if st, err := c.Status(ctx); err == nil {
			for _, s := range st.Slots {
				_, _ = c.Release(ctx, s.Slot, s.Epoch)
			}
		}
		cancel()
		if err := <-done; err != nil {
			x.t.Error(err)
		}
	})
}

func (x *exclusive) spawn(argv ...string) *exec.Cmd {
	x.t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGCONT)
		_ = c.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = c.Process.Kill() })
		_ = c.Wait()
		late.Stop()
	})
	return c
}

func (x *exclusive) startKeeper() {
	socket := x.keepers(x.victim)
	x.keeper = x.spawn(self("keeper", socket, filepath.Join(x.dir, string(x.victim), "keeper"))...)
	x.t.Cleanup(func() { // before the keeper is killed
		if st, err := (door.Client{Socket: socket}).Status(context.Background()); err == nil {
			for _, s := range st.Slots {
				_, _ = (door.Client{Socket: socket}).Release(context.Background(), s.Slot, s.Epoch)
			}
		}
	})
}

func (x *exclusive) startAgent() {
	x.agent = x.spawn(self("agent", filepath.Join(x.dir, string(x.victim), "agent.yaml"))...)
}

type line struct {
	member member.ID
	epoch  int
	at     time.Duration
}

func (x *exclusive) lines() []line {
	x.t.Helper()
	b, err := os.ReadFile(x.witness)
	if err != nil {
		return nil
	}
	var all []line
	for text := range strings.Lines(string(b)) {
		var l line
		var at int64
		if _, err := fmt.Sscan(text, &l.member, &l.epoch, &at); err != nil {
			continue // being written
		}
		l.at = time.Duration(at)
		all = append(all, l)
	}
	return all
}

// wantOneAtATime reads the witness: once somebody writes under a newer slot epoch,
// nobody writes under an older one.
func (x *exclusive) wantOneAtATime() {
	x.t.Helper()
	highest := line{}
	for _, l := range x.lines() {
		if l.epoch < highest.epoch {
			x.t.Fatalf("%s wrote under slot epoch %d, %v after %s had begun under %d", l.member, l.epoch, l.at-highest.at, highest.member, highest.epoch)
		}
		if l.epoch > highest.epoch {
			highest = l
		}
	}
}

// replaced waits for somebody else to serve, and says when the victim wrote last
// and the other one first.
func (x *exclusive) replaced() (last, first time.Duration) {
	x.t.Helper()
	x.until("m1", "somebody else serves", 90*time.Second, func(status.Page) bool {
		all := x.lines()
		return all[len(all)-1].member != x.victim
	})
	for _, l := range x.lines() {
		if l.member == x.victim {
			last = l.at
		} else if first == 0 {
			first = l.at
		}
	}
	return last, first
}

// wantLeaseProof waits until a case of the victim shows that the end of its lease was the
// proof. It looks at what the case went through: a spare whose service does not answer in
// time is fenced as well, and its own word is then the case's last proof. If no case shows
// it, it says what each agent knows: one that is behind shows an old page.
func (x *exclusive) wantLeaseProof() {
	x.t.Helper()
	shown := func(p status.Page) bool {
		return slices.ContainsFunc(p.Cases, func(c status.Case) bool {
			return c.Subject == x.victim && slices.ContainsFunc(c.Passages, func(p status.Passage) bool {
				return p.State == failover.Fenced && p.Detail == "its lease has surely ended"
			})
		})
	}
	for end := time.Now().Add(time.Minute); !shown(x.agents["m1"].Page()); time.Sleep(20 * time.Millisecond) {
		if time.Now().Before(end) {
			continue
		}
		for n, a := range x.agents {
			p := a.Page()
			x.t.Logf("%s: proof shown %t; it knows %+v; leader %q; cases %+v", n, shown(p), p.Knowledge, p.Council.Leader, p.Cases)
		}
		x.t.Fatalf("no case of %s shows at m1 that its lease was the proof", x.victim)
	}
}

func TestAnExclusiveSlotWhoseAgentIsKilledIsStoppedAtSAndGivenAway(t *testing.T) {
	x := newExclusive(t)
	if err := x.agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	began := boottime.Now()
	last, first := x.replaced()
	t.Logf("the victim wrote last after %v, the next one first after %v", (last - began).Round(time.Millisecond), (first - began).Round(time.Millisecond))
	lan := member.LeaseLan()
	if last-began > lan.Stop+lan.Within {
		t.Errorf("the victim wrote for %v after its agent was killed, want at most S + Ds, %v", last-began, lan.Stop+lan.Within)
	}
	x.wantLeaseProof()
	x.wantOneAtATime()
}

func TestAnExclusiveSlotWhoseAgentStandsStillIsStoppedByItsKeeper(t *testing.T) {
	x := newExclusive(t)
	if err := x.agent.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := boottime.Now()
	last, first := x.replaced()
	t.Logf("the victim wrote last after %v, the next one first after %v", (last - began).Round(time.Millisecond), (first - began).Round(time.Millisecond))
	lan := member.LeaseLan()
	if last-began > lan.Stop+lan.Within {
		t.Errorf("the victim wrote for %v, want at most S + Ds, %v", last-began, lan.Stop+lan.Within)
	}
	if err := x.agent.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // it learns that its slot has moved on
	x.wantLeaseProof()
	x.wantOneAtATime()
}

func TestAMemberThatStandsStillAltogetherServesNoMoreWhenItIsBack(t *testing.T) {
	x := newExclusive(t)
	stopped := append(x.services(), x.agent.Process.Pid, x.keeper.Process.Pid)
	signalAll(t, stopped, syscall.SIGSTOP)
	_, _ = x.replaced()
	// The keeper goes on first: a machine that wakes runs its highest priorities
	// first, and the keeper's unit is Nice=-10.
	signalAll(t, []int{x.keeper.Process.Pid}, syscall.SIGCONT)
	x.until("m1", "the keeper ended the slot", 60*time.Second, func(status.Page) bool { return len(x.services()) == 0 })
	signalAll(t, []int{x.agent.Process.Pid}, syscall.SIGCONT)
	time.Sleep(5 * time.Second)
	x.wantLeaseProof()
	x.wantOneAtATime()
}

func TestAnAgentThatIsBackWithinSMakesNoOutage(t *testing.T) {
	x := newExclusive(t)
	epoch := x.lines()[0].epoch
	if err := x.agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = x.agent.Wait()
	x.startAgent()
	time.Sleep(2 * member.LeaseLan().Stop)
	all := x.lines()
	gap := time.Duration(0)
	for i, l := range all[1:] {
		if l.member != x.victim || l.epoch != epoch {
			t.Fatalf("%s serves at slot epoch %d", l.member, l.epoch)
		}
		gap = max(gap, l.at-all[i].at)
	}
	if silent := boottime.Now() - all[len(all)-1].at; silent > 3*time.Second || gap > 3*time.Second {
		t.Errorf("an outage of %v, and silent for %v", gap, silent)
	}
	t.Logf("the longest gap is %v", gap)
	st, err := door.Client{Socket: x.keepers(x.victim)}.Status(t.Context())
	if err != nil || len(st.Slots) != 1 || st.Slots[0].State != keeper.Held || st.Slots[0].Stops != 0 {
		t.Errorf("the keeper says %+v, %v", st.Slots, err)
	}
}

// services are the victim's processes, by their command lines.
func (x *exclusive) services() []int {
	x.t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		x.t.Fatal(err)
	}
	var pids []int
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(b), "service\x00"+x.witness+"\x00"+string(x.victim)+"\x00") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func signalAll(t *testing.T, pids []int, sig syscall.Signal) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
}
