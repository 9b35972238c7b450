package shield

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAMeasureIsFoundAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[Key]Rung{}
		var list []Measure
		for _, k := range rapid.SliceOfN(rapid.Uint64Range(2, 500), 0, 200).Draw(t, "keys") {
			rung := Rung(rapid.IntRange(1, 5).Draw(t, "rung"))
			list = append(list, Measure{Key: Key(k), Rung: rung})
			want[Key(k)] = max(want[Key(k)], rung)
		}
		m := NewMeasures(list)
		for k := Key(2); k <= 500; k++ {
			got := m.Find(k)
			if (got == nil) != (want[k] == 0) || got != nil && (got.Key != k || got.Rung != want[k]) {
				t.Fatalf("%d: %+v, want %v", k, got, want[k])
			}
		}
	})
	var none *Measures
	if none.Find(3) != nil || none.List() != nil || NewMeasures(nil).Find(3) != nil {
		t.Error("found in nothing")
	}
}

func TestTheAdmittedFractionIsExactAndSticky(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Measure{Key: Key(rapid.Uint64().Draw(t, "key")), Admit: rapid.IntRange(1, Whole).Draw(t, "admit")}
		now := time.Unix(1000, 0)
		const clients = 20_000
		in, moved := 0, 0
		for i := range uint64(clients) {
			client := i * 0x9e3779b97f4a7c15
			first := m.Admits(now, client)
			if first {
				in++
			}
			if m.Admits(now.Add(9*time.Second), client) != first {
				t.Fatal("in and out within one turn")
			}
			if m.Admits(now.Add(StickyFor), client) != first {
				moved++
			}
		}
		got, want := float64(in)/clients, float64(m.Admit)/Whole
		if math.Abs(got-want) > 0.02 {
			t.Fatalf("%v of the clients are in, want %v", got, want)
		}
		if likely := 2 * want * (1 - want); likely > 0.05 && float64(moved)/clients < likely/2 {
			t.Fatalf("%d of %d changed with the turn", moved, clients)
		}
	})
}
