package boottime

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTheClockIsTheKernelsUptimeAndNotTheWallClock(t *testing.T) {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Skip("no /proc/uptime")
	}
	up, err := strconv.ParseFloat(strings.Fields(string(b))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	if d := Now() - time.Duration(up*float64(time.Second)); d < -50*time.Millisecond || d > 5*time.Second {
		t.Errorf("differs from /proc/uptime by %v", d)
	}
	if id, err := ID(); err != nil || len(id) != 36 {
		t.Errorf("boot id %q, %v", id, err)
	}
}

func TestATimerGoesOffOnceAtItsTime(t *testing.T) {
	timer, err := NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	defer timer.Close()
	for _, tt := range []struct {
		claim string
		at    time.Duration
	}{{"soon", Now() + 30*time.Millisecond}, {"already", Now() - time.Hour}, {"at boot", 0}} {
		if err := timer.Set(tt.at); err != nil {
			t.Fatal(err)
		}
		select {
		case <-timer.C:
			if now := Now(); now < tt.at {
				t.Errorf("%s: %v too early", tt.claim, tt.at-now)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it did not go off", tt.claim)
		}
	}
	for _, at := range []time.Duration{Forever, Now() + time.Hour} {
		if err := timer.Set(at); err != nil {
			t.Fatal(err)
		}
		select {
		case <-timer.C:
			t.Errorf("went off for %v", at)
		case <-time.After(30 * time.Millisecond):
		}
	}
}
