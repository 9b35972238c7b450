//go:build real

package testbed

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// telling makes this test the process that tells the time.
const telling = "MOONWATCH_TEST_TELLING"

func TestTheClockOfOneProcessJumpsAndItsPatienceDoesNot(t *testing.T) {
	if os.Getenv(telling) != "" {
		began := time.Now()
		for range 6000 { // a minute: it is ended long before
			now := time.Now()
			fmt.Println(now.UnixMilli(), now.Sub(began).Milliseconds())
			time.Sleep(10 * time.Millisecond)
		}
		return
	}
	c := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.timeout", "5m")
	c.Env = append(os.Environ(), telling+"=1")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	}()
	lines := bufio.NewScanner(out)
	// tells waits until the process has told a time that is ahead by so much.
	steady := int64(0)
	tells := func(ahead time.Duration) {
		t.Helper()
		for range 3000 {
			var wall, mono int64
			if !lines.Scan() {
				t.Fatal("it has ended")
			}
			if _, err := fmt.Sscan(lines.Text(), &wall, &mono); err != nil {
				t.Fatalf("it says %q", lines.Text())
			}
			if mono < steady || mono > steady+30_000 {
				t.Fatalf("its steady clock went from %d to %d ms", steady, mono)
			}
			steady = mono
			if d := time.UnixMilli(wall).Sub(time.Now().Add(ahead)); d.Abs() < 15*time.Second {
				return
			}
		}
		t.Fatalf("it never was ahead by %v", ahead)
	}
	tells(0)
	for _, ahead := range []time.Duration{time.Hour, -time.Hour, 0} {
		SetClock(t, c.Process.Pid, ahead)
		tells(ahead)
	}
}
