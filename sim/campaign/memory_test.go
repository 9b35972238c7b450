package campaign

import (
	"strings"
	"testing"
)

func TestTooLittleMemoryIsRefusedWithTheFigure(t *testing.T) {
	if n, err := Fit(30, 8, 8<<30); err != nil || n != 8 {
		t.Errorf("%d %v", n, err)
	}
	if n, err := Fit(30, 8, 2*Need(30)+1); err != nil || n != 2 {
		t.Errorf("%d %v, want two of eight", n, err)
	}
	if _, err := Fit(10_000, 1, 1<<30); err == nil || !strings.Contains(err.Error(), "10000 members") || !strings.Contains(err.Error(), "1.0 GiB are free") {
		t.Error(err)
	}
	if n, err := Fit(10_000, 2, 0); err != nil || n != 2 {
		t.Errorf("%d %v where nobody knows", n, err)
	}
}

func TestFreeMemoryIsWhatTheKernelCallsAvailable(t *testing.T) {
	text := "MemTotal:  24000000 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n"
	if got := available(strings.NewReader(text)); got != 2<<20 {
		t.Error(got)
	}
	if got := available(strings.NewReader("MemFree: 1 kB\n")); got != 0 {
		t.Error(got)
	}
}
