package count

import (
	"testing"
	"time"

	"moonwatch/shield"
)

const salt = 7

func tick(h *Told, entries ...Reading) (learned []string) {
	for _, e := range entries {
		if name := h.Book(e); name != "" {
			learned = append(learned, name)
		}
	}
	h.End()
	return learned
}

func only(t *testing.T, counts []shield.Count) shield.Count {
	t.Helper()
	if len(counts) != 1 {
		t.Fatalf("told of %d subdomains: %+v", len(counts), counts)
	}
	return counts[0]
}

func TestATickHoldsWhatGrewInIt(t *testing.T) {
	h := NewTold(salt)
	key := shield.KeyOf(salt, []byte("a.example.com"))
	if got := tick(h, Reading{Name: "a.example.com", Asked: 1000, Lately: 30, Refused: 5}); len(got) != 1 || got[0] != "a.example.com" {
		t.Errorf("learned %v", got)
	}
	if c := only(t, h.Rotate(nil)); c.Key != key || c.Asked != 30 || c.Total != 1000 || c.Refused != 0 {
		t.Errorf("at first sight: %+v, want the last second's requests and no old refusal", c)
	}
	tick(h, Reading{Name: "a.example.com", Asked: 1010, Lately: 40, Refused: 9})
	tick(h, Reading{Name: "a.example.com", Asked: 1025, Lately: 50, Refused: 9}, Reading{Name: "a.example.com", Asked: 1025, Lately: 50, Refused: 9})
	if c := only(t, h.Rotate(nil)); c.Asked != 25 || c.Total != 1025 || c.Refused != 4 {
		t.Errorf("two polls later: %+v", c)
	}
	if counts := h.Rotate(nil); len(counts) != 0 {
		t.Errorf("without a poll there is something new: %v", counts)
	}
	if c := only(t, h.Rotate([]shield.Key{key})); c.Asked != 0 || c.Total != 1025 {
		t.Errorf("wanted without a poll: %+v", c)
	}
}

// A host that was below the rate for an hour has asked for much in that time, and it
// was not now.
func TestWhatGrewWhileNobodyLookedIsNotThisTicks(t *testing.T) {
	h := NewTold(salt)
	tick(h, Reading{Name: "a.example.com", Asked: 10, Lately: 1})
	h.Rotate(nil)
	tick(h)
	tick(h, Reading{Name: "a.example.com", Asked: 9010, Lately: 3})
	if c := only(t, h.Rotate(nil)); c.Asked != 3 || c.Total != 9010 {
		t.Errorf("got %+v", c)
	}
}

func TestAProcessThatBeganAnewTakesNothingBack(t *testing.T) {
	h := NewTold(salt)
	tick(h, Reading{Name: "a.example.com", Asked: 10, Lately: 10, Refused: 4})
	tick(h, Reading{Name: "a.example.com", Asked: 3, Lately: 3, Refused: 1})
	if c := only(t, h.Rotate(nil)); c.Total != 13 || c.Refused != 1 {
		t.Errorf("got %+v", c)
	}
}

func TestKeysAreThoseOfTheOtherDoors(t *testing.T) {
	h := NewTold(salt)
	bucket, _ := shield.ParentKeyOf(salt, []byte("other.example.com"))
	for raw, want := range map[string]shield.Key{
		"a.example.com": shield.KeyOf(salt, []byte("a.example.com")), "*.example.com": bucket, "-": shield.Nameless,
	} {
		if key, _, ok := h.keyOf(raw); !ok || key != want {
			t.Errorf("%s has key %v, want %v", raw, key, want)
		}
	}
	for _, raw := range []string{"", "*", "A.example.com", "a.example.com.", "a b", "[::1]", "a..b", "*.", "\xff.example.com"} {
		if key, _, ok := h.keyOf(raw); ok {
			t.Errorf("%q has key %v, want none: it is not in its normal form", raw, key)
		}
	}
}

// What is in the program's totals is somebody's: else a flood under a Host that is no name
// would be an overload for which nobody can be held.
func TestWhatHasNoKeyIsBookedAsNameless(t *testing.T) {
	h := NewTold(salt)
	if got := tick(h, Reading{Name: "a..b", Asked: 100, Lately: 20, Refused: 3}, Reading{Name: "*", Asked: 50, Lately: 5}); len(got) != 0 {
		t.Errorf("learned %v, want nobody", got)
	}
	if c := only(t, h.Rotate(nil)); c.Key != shield.Nameless || c.Name != "" || c.Asked != 25 || c.Refused != 0 {
		t.Errorf("at first sight: %+v", c)
	}
	if name := h.NameOf(shield.Nameless); name != "-" {
		t.Errorf("it is called %q", name)
	}
	before := only(t, h.Rotate([]shield.Key{shield.Nameless}))
	tick(h, Reading{Name: "a..b", Asked: 107, Lately: 20, Refused: 5}, Reading{Name: "a..b", Asked: 107, Lately: 20, Refused: 5}, Reading{Name: "-", Asked: 1000, Lately: 10})
	tick(h, Reading{Name: "a..b", Asked: 110, Lately: 20, Refused: 5}, Reading{Name: "-", Asked: 1010, Lately: 10}, Reading{Name: "*", Asked: 1050, Lately: 2})
	if c := only(t, h.Rotate(nil)); c.Asked != 7+10+3+10+2 || c.Total-before.Total != 10+1010+1000 || c.Refused != 2 {
		t.Errorf("two polls later: %+v, before %+v", c, before)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	h := NewTold(salt)
	for i := range 3 * mostHosts {
		tick(h, Reading{Name: "h" + string(rune('a'+i%26)) + time.Duration(i).String() + ".example.com", Asked: 1, Lately: 1})
		tick(h, Reading{Name: "h" + time.Duration(i).String() + "..example.com", Asked: 1, Lately: 1})
		if len(h.by) > mostHosts+1 || len(h.odd) > mostHosts+1 {
			t.Fatalf("%d and %d are remembered", len(h.by), len(h.odd))
		}
	}
}
