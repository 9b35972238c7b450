package demo

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"moonwatch/internal/program"
)

func sleeper(t *testing.T) (*exec.Cmd, program.Process) {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	must(t, cmd.Start())
	return cmd, program.Identify(cmd.Process.Pid)
}

func TestABlowFallsOnAllItsTargetsAndOnlyWhenItShall(t *testing.T) {
	b := aim(syscall.SIGKILL)
	var all []*exec.Cmd
	for range 3 {
		cmd, p := sleeper(t)
		all = append(all, cmd)
		must(t, b.at(p, nil, "sleeper"))
		if p.Fate() != program.Runs {
			t.Fatal("a target ended when it was aimed at")
		}
	}
	must(t, all[1].Process.Kill()) // ended between the look and the blow
	_ = all[1].Wait()
	must(t, b.fall())
	for _, cmd := range []*exec.Cmd{all[0], all[2]} {
		err := cmd.Wait()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("a target ended with %v, want by SIGKILL", err)
		}
	}
}

func TestABlowIsNotAimedAtWhatIsGone(t *testing.T) {
	cmd, p := sleeper(t)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if err := aim(syscall.SIGSTOP).at(p, nil, "sleeper"); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("aimed at a process that is gone: %v", err)
	}
}
