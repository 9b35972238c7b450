//go:build real && linux

package unit

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"

	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/gate"
	"moonwatch/member"
)

// slack is what a loaded machine adds to a stop: what these tests promise is the
// order, and that a stop comes at all.
const slack = 5 * time.Second

func TestALeaseThatIsRenewedNoMoreStopsItsService(t *testing.T) {
	for _, manners := range []string{"polite", "deaf"} {
		t.Run(manners, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s *site) {
				s.keeper()
				agent := s.agent()
				file := s.serve(manners)
				time.Sleep(2 * quick().Stop)
				s.wantServing(file)
				must(t, agent.Process.Kill())
				killed := boottime.Now()
				last := s.wantStopped(file)
				t.Logf("wrote last %v after the agent was killed", last-killed)
				if most := quick().Stop + quick().Within + slack; last-killed > most {
					t.Errorf("wrote %v after the agent was killed, want at most %v", last-killed, most)
				}
				s.eventually("the keeper saw it end", func() bool { return s.state() == keeper.Vacant })
			})
		})
	}
}

func TestAChildThatLeftItsSessionEndsToo(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		s.keeper()
		agent := s.agent()
		file := s.serve("deaf", "child")
		must(t, agent.Process.Kill())
		s.wantStopped(file)
		s.eventually("the keeper saw it end", func() bool { return s.state() == keeper.Vacant })
	})
}

func TestAnAgentThatStandsStillIsNoReasonToServe(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		s.keeper()
		agent := s.agent()
		file := s.serve("polite")
		must(t, agent.Process.Signal(syscall.SIGSTOP))
		s.wantStopped(file)
		must(t, agent.Process.Signal(syscall.SIGCONT)) // it hands over leases again: nothing starts by itself
		s.eventually("held again", func() bool { return s.state() == keeper.Held })
		again := boottime.Now()
		time.Sleep(200 * time.Millisecond)
		if s.lastServed(file) > again {
			t.Error("the service runs again although nobody started it")
		}
	})
}

func TestAServiceThatStandsStillIsEndedAsWell(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		s.keeper()
		agent := s.agent()
		file := filepath.Join(s.dir, "db-0.witness")
		service := s.spawn(append(self("enter", s.socket, "db-0", "7"), self("service", file, "polite")...)...)
		s.eventually("it serves", func() bool { b, _ := os.ReadFile(file); return len(b) > 0 })
		must(t, service.Process.Signal(syscall.SIGSTOP))
		must(t, agent.Process.Kill())
		s.eventually("the keeper saw it end", func() bool { return s.state() == keeper.Vacant })
		if err := service.Process.Signal(syscall.SIGCONT); err == nil {
			t.Error("it could still be woken")
		}
	})
}

func TestAKilledKeeperThatIsBackWithinSGoesOn(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		k := s.keeper()
		s.agent()
		file := s.serve("polite")
		time.Sleep(200 * time.Millisecond)
		s.kill(k)
		s.keeper()
		time.Sleep(2 * quick().Stop)
		s.wantServing(file)
	})
}

func TestAServiceWithoutAKeeperForLongerThanSIsStoppedAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		k := s.keeper()
		agent := s.agent()
		file := s.serve("deaf")
		s.kill(k)
		must(t, agent.Process.Kill())
		time.Sleep(quick().Stop + quick().Within)
		s.wantServing(file)
		s.keeper()
		heard := boottime.Now()
		if last := s.wantStopped(file); last > heard {
			t.Errorf("served for %v after the keeper was heard", last-heard)
		}
	})
}

func TestARecordThatIsTornStopsWhatRuns(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		k := s.keeper()
		s.agent()
		file := s.serve("polite")
		time.Sleep(200 * time.Millisecond)
		s.kill(k)
		path := filepath.Join(s.dir, "records", "db-0"+recordEnd)
		b, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, b[:len(b)/2], 0o600))
		s.keeper()
		s.wantStopped(file)
	})
}

// In a session nobody leaves the cgroup of a unit, and systemd ends it all.
func TestAPartIsEndedApartFromTheRestOfItsSlot(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		k := s.keeper()
		must(t, s.hand(patient()))
		rest, file := s.serve("polite"), filepath.Join(s.dir, "part.witness")
		s.spawn(append(self("enter-part", s.socket, slot, "7", "mydb.service"), self("service", file, "polite", "child")...)...)
		s.eventually("the part serves", func() bool { b, _ := os.ReadFile(file); return len(b) > 0 })
		s.kill(k)
		must(t, End(t.Context(), filepath.Join(s.dir, "records"), "other.service"))
		s.wantServing(file)
		must(t, End(t.Context(), filepath.Join(s.dir, "records"), "mydb.service"))
		if s.cgroup == "none" {
			s.wantServing(file)
		} else {
			s.wantStopped(file)
		}
		s.wantServing(rest)
		s.keeper()
		_, err := s.client.Release(t.Context(), slot, 7)
		must(t, err)
		s.wantStopped(rest)
	})
}

func TestNobodyRunsWithoutALease(t *testing.T) {
	s := newSite(t, "none")
	s.keeper()
	file := filepath.Join(s.dir, "witness")
	argv := append(self("enter-once", s.socket, "db-0", "7"), self("service", file, "polite")...)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no fresh lease: the slot may not run here") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Error("it ran")
	}
}

func TestAReleaseEndsTheServiceBeforeItIsAnswered(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		s.keeper()
		must(t, s.hand(quick()))
		file := s.serve("deaf")
		st, err := s.client.Release(t.Context(), "db-0", 7)
		answered := boottime.Now()
		must(t, err)
		if st.State != keeper.Vacant {
			t.Errorf("got %+v", st)
		}
		time.Sleep(50 * time.Millisecond)
		if last := s.lastServed(file); last > answered {
			t.Errorf("served %v after the release was answered", last-answered)
		}
		if err := s.hand(quick()); !errors.Is(err, door.ErrRefused) {
			t.Errorf("got %v, want the slot epoch to be over", err)
		}
	})
}

func TestTheSelfTestEndsAProcessThatShowsNoGoodwill(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		s.keeper()
		var st door.Status
		s.eventually("a self-test", func() bool { st, _ = s.client.Status(t.Context()); return st.Test.At > 0 })
		if err := st.Enforces(boottime.Now()); err != nil {
			t.Error(err)
		}
		t.Logf("%s: ended %v after its lease", st.Owns, st.Test.Took)
		if st.Test.Took < testTiming.Within/2 || st.Test.Took > testTiming.Within {
			t.Errorf("took %v, want %v to %v: it ends by force alone", st.Test.Took, testTiming.Within/2, testTiming.Within)
		}
	})
}

func TestTheSelfTestTriesTheGate(t *testing.T) {
	at, ok := places(t)["cgroup v2"]
	if !ok {
		t.Skip("no cgroup of version 2 may be made here")
	}
	if err := gate.Clear(at); err != nil {
		t.Skipf("no gate can be made here: %v", err)
	}
	t.Cleanup(func() { must(t, gate.Clear(at)) })
	s := newSite(t, at)
	u := s.run(Config{Gate: gate.Auto, Sitter: self("sitter")})
	var st door.Status
	s.eventually("a self-test", func() bool { st, _ = s.client.Status(t.Context()); return st.Test.At > 0 })
	if !st.Test.Good || st.Gate.Test != "good" || st.Gate.Name == "" {
		t.Fatalf("got %+v and %+v", st.Test, st.Gate)
	}
	// Without rules it holds back nothing, and says so.
	u.gates.work.Lock()
	must(t, u.gates.gate.Remove())
	u.gates.gate = brokenGate{u.gates.gate}
	u.gates.work.Unlock()
	_, err := u.endSitter(t.Context())
	if err != nil || !strings.Contains(u.gates.standing().Test, "it lets pass what it should hold back") {
		t.Errorf("got %v and %+v", err, u.gates.standing())
	}
	u.gates.must = true
	if _, err := u.endSitter(t.Context()); err == nil || !strings.Contains(err.Error(), "it lets pass what it should hold back") {
		t.Errorf("got %v, want a failed self-test where people want a gate", err)
	}
}

// brokenGate is one that does nothing.
type brokenGate struct{ gate.Gate }

func (brokenGate) Open(member.SlotID, time.Duration) error { return nil }
func (brokenGate) Shut(member.SlotID) error                { return nil }
func (brokenGate) Renew() error                            { return nil }

func TestAKeeperInOrderLeavesNoGate(t *testing.T) {
	at, ok := places(t)["cgroup v2"]
	if !ok {
		t.Skip("no cgroup of version 2 may be made here")
	}
	if err := gate.Clear(at); err != nil {
		t.Skipf("no gate can be made here: %v", err)
	}
	t.Cleanup(func() { must(t, gate.Clear(at)) })
	s := newSite(t, at)
	k := s.spawn(self("keeper", s.socket, filepath.Join(s.dir, "records"), s.cgroup, gate.NFT)...)
	s.eventually("the keeper answers", func() bool { st, err := s.client.Status(t.Context()); return err == nil && st.Gate.Name != "" })
	s.agent()
	file := s.serve("polite")
	s.wantServing(file)
	st, err := s.client.Status(t.Context())
	must(t, err)
	_, table, _ := strings.Cut(st.Gate.Name, "table inet ")
	if !hasTable(t, table) {
		t.Fatalf("%s is not among the tables", table)
	}
	_, err = s.client.Release(t.Context(), slot, 7)
	must(t, err)
	must(t, k.Process.Signal(syscall.SIGTERM))
	s.eventually("the gate is gone", func() bool { return !hasTable(t, table) })
}

func hasTable(t *testing.T, name string) bool {
	t.Helper()
	c, err := nftables.New()
	must(t, err)
	all, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	must(t, err)
	return slices.ContainsFunc(all, func(x *nftables.Table) bool { return x.Name == name })
}
