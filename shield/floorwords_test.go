package shield

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func drawnFloors(t *rapid.T) Floors {
	f := Floors{Version: rapid.Uint64Range(1, 9).Draw(t, "version"), By: "a", Capacity: float64(rapid.IntRange(0, 1e6).Draw(t, "capacity"))}
	k := Key(1)
	for range rapid.IntRange(0, 400).Draw(t, "floors") {
		k += Key(rapid.Uint64Range(1, 1<<50).Draw(t, "gap"))
		f.List = append(f.List, Floor{Key: k, Rate: rapid.Float64Range(0, 1e5).Draw(t, "rate")})
	}
	return f
}

// Floors arrive as they were published, to a thousandth, in whatever order their
// parts come and however often.
func TestFloorsArriveInParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawnFloors(t)
		parts := f.Encode(7)
		var x FloorsInParts
		got, n := Floors{}, 0
		for _, b := range rapid.Permutation(append(parts, parts...)).Draw(t, "order") {
			if len(b) > MaxReport {
				t.Fatalf("%d bytes", len(b))
			}
			p, err := DecodeFloors("a", b)
			if err != nil || p.Mark != 7 {
				t.Fatalf("%v: %+v", err, p)
			}
			if all, whole := x.Add(p); whole {
				got, n = all, n+1
			}
		}
		if n != 1 || got.Version != f.Version || got.By != "a" || len(got.List) != len(f.List) || got.Capacity < f.Capacity {
			t.Fatalf("%d times: %+v, want %+v", n, got, f)
		}
		for i, y := range got.List {
			if y.Key != f.List[i].Key || y.Rate > f.List[i].Rate || math.Abs(y.Rate-f.List[i].Rate) > 0.002 {
				t.Fatalf("%+v, want %+v", y, f.List[i])
			}
		}
	})
}

// A part that is lost leaves the floors before in force, and the next version comes
// through.
func TestALostPartOfFloorsIsNoFloors(t *testing.T) {
	f := Floors{Version: 3, By: "a", Capacity: 1e6}
	for k := range Key(300) {
		f.List = append(f.List, Floor{Key: (k + 2) << 50, Rate: 12345.678})
	}
	var x FloorsInParts
	add := func(b []byte) (Floors, bool) {
		p, err := DecodeFloors("a", b)
		if err != nil {
			t.Fatal(err)
		}
		return x.Add(p)
	}
	parts := f.Encode(0)
	if len(parts) < 2 {
		t.Fatalf("%d parts, want more", len(parts))
	}
	for _, b := range parts[1:] {
		if _, whole := add(b); whole {
			t.Error("whole without its first part")
		}
	}
	f.Version++
	for i, b := range f.Encode(0) {
		if got, whole := add(b); whole != (i == len(parts)-1) || whole && len(got.List) != 300 {
			t.Errorf("part %d: %t", i, whole)
		}
	}
	if _, whole := add(parts[0]); whole {
		t.Error("an old version came back")
	}
}

func FuzzDecodeFloors(f *testing.F) {
	for _, b := range (Floors{Version: 2, Capacity: 100, List: []Floor{{2, 1}, {9, 3}}}).Encode(1) {
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeFloors("a", b)
		if err != nil {
			if !errors.Is(err, ErrFloors) {
				t.Fatal(err)
			}
			return
		}
		var x FloorsInParts
		if all, whole := x.Add(p); whole && all.Validate(DefaultFloorRules()) == nil {
			for _, y := range all.List {
				if y.Rate < 0 || math.IsNaN(y.Rate) {
					t.Fatalf("%+v", y)
				}
			}
		}
	})
}
