package campaign

import (
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/sim/scenario"
)

func TestTooLittleMemoryIsRefusedWithTheFigure(t *testing.T) {
	if n, err := Fit(30, 8, 8<<30); err != nil || n != 8 {
		t.Errorf("%d %v", n, err)
	}
	if n, err := Fit(30, 8, 2*Need(30)+1); err != nil || n != 2 {
		t.Errorf("%d %v, want two of eight", n, err)
	}
	if _, err := Fit(10_000, 1, 1<<29); err == nil || !strings.Contains(err.Error(), "10000 members") || !strings.Contains(err.Error(), "512 MiB are free") {
		t.Error(err)
	}
	if n, err := Fit(10_000, 2, 0); err != nil || n != 2 {
		t.Errorf("%d %v where nobody knows", n, err)
	}
}

func TestFreeMemoryIsWhatTheKernelCallsAvailable(t *testing.T) {
	text := "MemTotal:  24000000 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n"
	if got := line(strings.NewReader(text), "MemAvailable:"); got != 2<<20 {
		t.Error(got)
	}
	if got := line(strings.NewReader("MemFree: 1 kB\n"), "MemAvailable:"); got != 0 {
		t.Error(got)
	}
}

// The figures must be neither so low that the machine runs out of memory nor so
// high that worlds are refused that would fit.
func TestNeedIsWhatAWorldTakes(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector takes memory of its own")
	}
	for _, members := range []int{30, 200} {
		p, err := scenario.BuiltinSwarm().Compile(1, scenario.Options{Members: members})
		if err != nil {
			t.Fatal(err)
		}
		p.Steps, p.Storm, p.Settle = nil, scenario.Duration(20*time.Second), 0
		text, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		crew := fragileCrew(t, "plays", 1)
		crew.Env = append(crew.Env, "GOGC=50")
		crew.Patience = 2 * time.Minute
		r, err := One(t.Context(), crew, Task{Seed: 1, Plan: text})
		if err != nil || r.Result == nil {
			t.Fatal(err, r.Crash)
		}
		if r.Peak > 0 && (Need(members) < r.Peak/2 || Need(members) > needProgram+2*r.Peak) {
			t.Errorf("%d members take %s, and Need says %s", members, Bytes(r.Peak), Bytes(Need(members)))
		}
		t.Logf("%d members: %s, Need %s", members, Bytes(r.Peak), Bytes(Need(members)))
	}
}
