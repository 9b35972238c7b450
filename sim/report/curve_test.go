package report

import (
	"strings"
	"testing"
)

func TestACurveStopsWhereItsDrawingEnds(t *testing.T) {
	c := newCurve("x", "", []int64{1000, 60_000}, detectBars)
	if strings.Contains(c.Path, "V12H") || !strings.Contains(c.Path, "V95") {
		t.Errorf("half of the samples are beyond, and the curve is %s", c.Path)
	}
	if c.Beyond != "1 sample lies further right, up to 60.00 s." {
		t.Errorf("beyond: %q", c.Beyond)
	}
}

func TestAPromiseIsNotJudgedByFewSamples(t *testing.T) {
	for _, x := range []struct {
		samples int
		want    string
	}{{1, "slower, of few"}, {19, "slower, of few"}, {20, "slower"}} {
		v := make([]int64, x.samples)
		for i := range v {
			v[i] = 9000
		}
		if got := newCurve("x", "", v, detectBars).Rows[0].Verdict; got != x.want {
			t.Errorf("%d samples of 9 s against p50 1.5 s: %q, want %q", x.samples, got, x.want)
		}
	}
	if got := newCurve("x", "", []int64{7000}, recoverBars).Rows[3].Verdict; got != "slower" {
		t.Errorf("a maximum of 6 s, and one sample of 7 s: %q", got)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, x := range [][2]string{
		{clock(0), "0:00.0"},
		{clock(59_960), "1:00.0"},
		{clock(487_400), "8:07.4"},
		{clock(3_600_000), "1:00:00.0"},
		{count(0), "0"},
		{count(999), "999"},
		{count(-1234), "-1,234"},
		{count(uint64(12_345_678)), "12,345,678"},
		{brief(1500), "1.5 s"},
		{brief(10_000), "10 s"},
		{brief(0), "0 s"},
		{brief(2050), "2.05 s"},
		{mark(90_000, 30_000), "1:30"},
		{mark(500, 500), "0:00.5"},
	} {
		if x[0] != x[1] {
			t.Errorf("%q, want %q", x[0], x[1])
		}
	}
}
