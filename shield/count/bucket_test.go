package count

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestABucketAdmitsItsBurstAndItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.5, 5000).Draw(t, "rate")
		burst := rapid.Float64Range(1, 100).Draw(t, "burst")
		var b Bucket
		begin := time.Unix(1000, 0)
		now := begin
		type admitted struct{ at time.Time }
		var in []admitted
		refused := 0
		for range rapid.IntRange(1, 400).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*float64(time.Second)/rate)).Draw(t, "later")))
			if b.Take(now, rate, burst) {
				in = append(in, admitted{now})
			} else {
				refused++
			}
		}
		for i := range in { // every stretch that begins with an admitted request
			for j := i; j < len(in); j++ {
				most := burst + rate*in[j].at.Sub(in[i].at).Seconds()
				if got := float64(j - i + 1); got > most*(1+1e-6)+1e-6 {
					t.Fatalf("%v admitted within %v at %v/s and a burst of %v", got, in[j].at.Sub(in[i].at), rate, burst)
				}
			}
		}
		if refused > 0 && float64(len(in)) < min(burst, 1) {
			t.Fatalf("refused %d and admitted %d", refused, len(in))
		}
	})
}

func TestABucketIsNotShutByRefusals(t *testing.T) {
	var b Bucket
	now := time.Unix(1000, 0)
	in := 0
	for range 100_000 { // 10,000 a second for ten seconds at 500
		now = now.Add(100 * time.Microsecond)
		if b.Take(now, 500, 50) {
			in++
		}
	}
	if in < 5000 || in > 5051 {
		t.Errorf("%d admitted, want 5,000 and the burst", in)
	}
	if b.Take(now, 0, 10) {
		t.Error("admitted at a rate of 0")
	}
	if !b.Take(now.Add(-time.Hour), 500, 50) && !b.Take(now.Add(-time.Hour+time.Second), 500, 50) {
		t.Error("a clock that jumped back has shut the bucket")
	}
}
