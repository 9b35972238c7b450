package daemon

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnAgentThatIsStuckIsNotVouchedFor: the init system hears that it is there, and of
// the watchdog only for as long as the loop makes progress.
func TestAnAgentThatIsStuckIsNotVouchedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		d := &Daemon{started: time.Now(), ready: make(chan struct{}), cfg: Config{
			NotifyEvery: 5 * time.Second, Notify: func(s string) { heard = append(heard, s) },
		}}
		close(d.ready)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.tellInit(ctx) }()
		vouched := func() (n int) {
			for _, s := range heard {
				n += strings.Count(s, "WATCHDOG=1")
			}
			return n
		}
		for range 60 {
			d.progress.Store(int64(time.Since(d.started)))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := vouched(); n < 59 || heard[0] != "READY=1" {
			t.Errorf("in a minute it was vouched for %d times; heard first: %q", n, heard[0])
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		before := vouched()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := vouched(); n != before {
			t.Errorf("it is stuck, and was vouched for %d times", n-before)
		}
		cancel()
		if err := <-ended; err != nil || heard[len(heard)-1] != "STOPPING=1" {
			t.Errorf("%v: at its end it says %q", err, heard[len(heard)-1])
		}
	})
}
