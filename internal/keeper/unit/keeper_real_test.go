//go:build real && linux

package unit

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
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
		must(t, k.Process.Kill())
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
		must(t, k.Process.Kill())
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
		must(t, k.Process.Kill())
		path := filepath.Join(s.dir, "records", "db-0"+recordEnd)
		b, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, b[:len(b)/2], 0o600))
		s.keeper()
		s.wantStopped(file)
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
