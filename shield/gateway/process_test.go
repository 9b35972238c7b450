//go:build real

package gateway

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The figure of the product on real processes: SIGKILL, and SIGSTOP, after which
// the kernel goes on accepting connections that nobody answers.
func TestOneLostProcessCostsAtMostTwoRequests(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"kill": syscall.SIGKILL, "stop": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			list := make([]*service, 5)
			processes := make([]*os.Process, 5)
			for i := range list {
				list[i], processes[i] = startProcess(t)
			}
			g := open(t, Config{}, tableOf(list))
			l := steady(t, g)
			time.Sleep(time.Second)
			if err := processes[2].Signal(signal); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			before := l.failed.Load()
			g.SetTable(tableOf(list, drain("web-2")))
			l.drained.Store(true)
			time.Sleep(time.Second)
			l.end()
			if before > 2 || l.failedAfter.Load() > 0 {
				t.Errorf("%d requests failed before the drain, want at most 2; %d after it, want 0", before, l.failedAfter.Load())
			}
			t.Logf("%d requests, slowest %v, %+v", l.requests.Load(), time.Duration(l.slowest.Load()), g.slot(2))
		})
	}
}

func startProcess(t *testing.T) (*service, *os.Process) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serviceEnv+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill() // also ends a stopped one
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &service{t: t, addr: strings.TrimSpace(addr)}, cmd.Process
}
