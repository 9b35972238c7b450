package scenario

import "testing"

func TestAPercentileIsAMeasuredValue(t *testing.T) {
	values := []int64{5, 1, 4, 2, 3}
	for pct, want := range map[int]int64{0: 1, 50: 3, 60: 3, 61: 4, 99: 5, 100: 5} {
		if got := Percentile(values, pct); got != want {
			t.Errorf("%d percent do not exceed %d, want %d", pct, got, want)
		}
	}
	if got := Percentile([]int64(nil), 50); got != 0 {
		t.Errorf("of nothing it is %d", got)
	}
}
