package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// endless starts a campaign without an end as a process, and waits until its
// workers are there.
func endless(t *testing.T) (c *exec.Cmd, out *bytes.Buffer, workers []string) {
	t.Helper()
	inFolder(t, "crash.yaml", crash)
	c = exec.CommandContext(t.Context(), os.Args[0], "sim", "campaign", "crash.yaml", "--seeds", "0", "--workers", "2", "--json")
	out = &bytes.Buffer{}
	c.Stdout, c.Stderr = out, os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(workers) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = c.Process.Kill()
			_ = c.Wait()
			t.Fatalf("%d workers", len(workers))
		}
		workers = childrenOf(c.Process.Pid)
	}
	return c, out, workers
}

// childrenOf are the ids of the processes that a process has started, by any of
// its threads.
func childrenOf(pid int) []string {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	var all []string
	for _, task := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		all = append(all, strings.Fields(string(text))...)
	}
	return all
}

// allEnd waits until none of the processes runs any more.
func allEnd(t *testing.T, pids []string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		alive := 0
		for _, pid := range pids {
			if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !bytes.Contains(stat, []byte(") Z ")) {
				alive++
			}
		}
		if alive == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %v live on", alive, pids)
		}
	}
}

func TestCtrlCEndsACampaignWithItsWorkersAndItsSum(t *testing.T) {
	c, out, workers := endless(t)
	time.Sleep(2 * time.Second)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		var ended *exec.ExitError
		if errors.As(err, &ended) && out.Len() == 0 {
			t.Skip("this machine is too slow: no seed ended in time")
		}
		t.Fatalf("%v\n%s", err, out)
	}
	if o := decode(t, result{out: out.String()}); !o.Interrupted || o.Seeds == 0 || !o.OK {
		t.Errorf("%s", out)
	}
	allEnd(t, workers)
}

func TestWorkersDieWithTheirParent(t *testing.T) {
	c, _, workers := endless(t)
	if err := c.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	allEnd(t, workers)
}
