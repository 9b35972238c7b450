package shield

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moonwatch/member"
)

func drawnTraffic(t *rapid.T) Traffic {
	lately := rapid.Uint64Range(0, 10_000).Draw(t, "lately")
	admitted := rapid.Uint64Range(0, lately).Draw(t, "admitted")
	asked := lately + rapid.Uint64Range(0, 1<<40).Draw(t, "before")
	return Traffic{
		Asked: asked, Refused: rapid.Uint64Range(0, asked).Draw(t, "refused"), Lately: lately, Admitted: admitted,
		Cost: rapid.Uint64Range(0, 1<<20).Draw(t, "cost"),
	}
}

// drawnReport is one that an honest door makes.
func drawnReport(t *rapid.T, door string) Report {
	r := Report{
		Door: member.ID(door), Life: member.Incarnation(rapid.Uint64Range(1, 3).Draw(t, "life")),
		Seq: rapid.Uint64Range(1, 20).Draw(t, "seq"), Window: 200 * time.Millisecond,
		Served: rapid.Uint64Range(0, 1000).Draw(t, "served"), Capacity: Units(rapid.Uint64Range(0, 1e6).Draw(t, "capacity")), Trouble: rapid.Bool().Draw(t, "trouble"),
		Subdomains: rapid.IntRange(0, 1e6).Draw(t, "subdomains"), Floors: rapid.Uint64().Draw(t, "floors"),
		ByCost: rapid.Bool().Draw(t, "by cost"),
	}
	for i := range rapid.IntRange(0, 10).Draw(t, "lines") {
		l := Line{Key: Key(i + 2), Traffic: drawnTraffic(t)}
		r.Total.Lately += l.Lately
		r.Total.Admitted += l.Admitted
		r.Total.Cost += l.Cost
		r.Lines = append(r.Lines, l)
	}
	r.Total.Asked = r.Total.Lately + (uint64(r.Life)*1000+r.Seq)*1e6 // grows with the sequence
	for i := range rapid.IntRange(0, MaxVotes).Draw(t, "votes") {
		r.Votes = append(r.Votes, Vote{Key: Key(i + 2), Rung: Challenge, Host: "a.example.com"})
	}
	return r
}

func TestReportsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawnReport(t, "web-1")
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeReport(append(b, 1, 2, 3)) // and what a younger build adds
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%v\n%+v\n%+v", err, got, r)
		}
	})
}

func TestAFullReportFitsIntoADatagram(t *testing.T) {
	r := Report{Door: "web-1", Life: 1, Seq: 1, Window: time.Second}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		r.Lines = append(r.Lines, Line{Key: Key(rng.Uint64()), Traffic: Traffic{Asked: 1e6, Refused: 100, Lately: 120, Admitted: 100, Cost: 5000}})
	}
	b, err := r.Encode()
	if err != nil || len(b) > MaxReport {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	got, err := DecodeReport(b)
	if err != nil || len(got.Lines) < MaxLines/2 {
		t.Fatalf("%d lines, %v", len(got.Lines), err)
	}
	t.Logf("%d lines in %d bytes", len(got.Lines), len(b))
}

func FuzzDecodeReport(f *testing.F) {
	seed := Report{Door: "web-1", Life: 3, Seq: 9, Window: 250 * time.Millisecond, Votes: []Vote{{2, Stop, "a.example.com"}}, Lines: []Line{{Key: 2}, {Key: 3}}}
	b, err := seed.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-5])
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReport(b)
		if err != nil {
			if !errors.Is(err, ErrReport) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if len(again) > len(b) || string(again) != string(b[:len(again)]) {
			t.Fatalf("%x is read as what is %x", b, again)
		}
		m := NewMerge(DefaultMergeRules())
		m.Expect([]member.ID{r.Door})
		if m.Accept(time.Unix(1, 0), r) == nil { // then nothing comes of it that is no number
			v := m.Fleet(time.Unix(1, 0))
			if v.Asked > 1e7 || v.Admitted > v.Asked {
				t.Fatalf("%+v", v)
			}
		}
	})
}

func TestTwoVotesForOneSubdomainAreRefused(t *testing.T) {
	r := Report{Door: "a", Life: 1, Seq: 1, Window: time.Second, Votes: []Vote{{2, Stop, "a.example.com"}, {3, Stop, "b.example.com"}}}
	for _, k := range []Key{3, 2} {
		r.Votes[1].Key = k
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = DecodeReport(b); (k == 2) != errors.Is(err, ErrReport) {
			t.Errorf("votes for 2 and %d: %v", k, err)
		}
	}
}

func TestMergeDependsNeitherOnOrderNorOnRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Report
		type place struct {
			door member.ID
			life member.Incarnation
			seq  uint64
		}
		seen := map[place]bool{}
		for range rapid.IntRange(1, 12).Draw(t, "reports") {
			r := drawnReport(t, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "door"))
			if p := (place{r.Door, r.Life, r.Seq}); !seen[p] {
				seen[p] = true
				all = append(all, r)
			}
		}
		now := time.Unix(1000, 0)
		fold := func(rs []Report) Fleet {
			m := NewMerge(DefaultMergeRules())
			m.Expect([]member.ID{"a", "b", "c"})
			for _, r := range rs {
				if err := m.Accept(now, r); err != nil && !errors.Is(err, ErrReplayed) {
					t.Fatal(err)
				}
			}
			return m.Fleet(now)
		}
		want := fold(all)
		other := rapid.Permutation(append(all, all...)).Draw(t, "order")
		if got := fold(other); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\n%+v", got, want)
		}
	})
}

// Whether a door knows costs is what its newest report says. What an earlier life of it said is
// heard by some doors and not by others.
func TestADoorsCostsAreThoseOfItsNewestReport(t *testing.T) {
	knew := Report{Door: "a", Life: 1, Seq: 2, Window: 200 * time.Millisecond, Total: Traffic{Asked: 1002e6, Cost: 1}, Lines: []Line{{Key: 2, Traffic: Traffic{Cost: 1}}}}
	few := Traffic{Asked: 2001e6, Lately: 1, Admitted: 1}
	newest := Report{Door: "a", Life: 2, Seq: 1, Window: 200 * time.Millisecond, Total: few, Lines: []Line{{Key: 2, Traffic: few}}}
	for _, order := range [][]Report{{knew, newest}, {newest, knew}, {newest}} {
		now, m := time.Unix(1000, 0), NewMerge(DefaultMergeRules())
		m.Expect([]member.ID{"a", "b", "c"})
		for _, r := range order {
			if err := m.Accept(now, r); err != nil && !errors.Is(err, ErrReplayed) {
				t.Fatal(err)
			}
		}
		if f := m.Fleet(now); f.Costed != 0 || len(f.Hosts) != 1 || f.Hosts[0].Costed != 0 {
			t.Errorf("%d reports, the newest without costs: %+v", len(order), f)
		}
	}
}

// When the policy's unit changes the doors take it over one after the other.
func TestACapacityOfAnotherUnitIsNotAdopted(t *testing.T) {
	now := time.Unix(1000, 0)
	rules := DefaultMergeRules()
	rules.ByCost = true
	m := NewMerge(rules)
	m.Expect([]member.ID{"a", "b", "c"})
	hears := func(door member.ID, seq uint64, capacity Units, byCost bool) {
		t.Helper()
		if err := m.Accept(now, Report{Door: door, Life: 1, Seq: seq, Window: time.Second, Capacity: capacity, ByCost: byCost}); err != nil {
			t.Fatal(err)
		}
	}
	hears("a", 1, 1000, false)
	hears("b", 1, 1000, false)
	if c := m.Fleet(now).Capacity; c != 0 {
		t.Errorf("capacity %v from doors that count requests, want none", c)
	}
	hears("b", 2, 40_000, true)
	if c := m.Fleet(now).Capacity; c != 40_000 {
		t.Errorf("capacity %v, want that of the door that counts costs too", c)
	}
}

func TestOneOfAHundredDoorsHasEvidenceToo(t *testing.T) {
	m := NewMerge(DefaultMergeRules())
	var doors []member.ID
	for i := range 100 {
		doors = append(doors, member.ID(fmt.Sprintf("d-%03d", i)))
	}
	m.Expect(doors)
	now := time.Unix(1000, 0)
	for i, d := range doors {
		asked := uint64(100)
		if i == 0 {
			asked = 20 // too little of it to speak of
		}
		tr := Traffic{Asked: asked, Lately: asked, Admitted: asked}
		if err := m.Accept(now, Report{Door: d, Life: 1, Seq: 1, Window: time.Second, Total: tr, Lines: []Line{{Key: 7, Traffic: tr}}}); err != nil {
			t.Fatal(err)
		}
	}
	f := m.Fleet(now)
	if got := f.Hosts[0].Doors; len(got) != 99 || got[0] != "d-001" {
		t.Errorf("%d doors have evidence, the first of them %v: want all but d-000, a hundredth each is a door's even part", len(got), got[:1])
	}
}

func TestMergeRefusesWhatCannotBe(t *testing.T) {
	now := time.Unix(1000, 0)
	good := func() Report {
		return Report{
			Door: "a", Life: 2, Seq: 5, Window: 200 * time.Millisecond,
			Total: Traffic{Asked: 1000, Refused: 10, Lately: 100, Admitted: 90, Cost: 50},
			Lines: []Line{{Key: 2, Traffic: Traffic{Asked: 500, Lately: 60, Admitted: 60, Cost: 50}}},
		}
	}
	m := NewMerge(DefaultMergeRules())
	m.Expect([]member.ID{"a", "b"})
	if err := m.Accept(now, good()); err != nil {
		t.Fatal(err)
	}
	before := m.Fleet(now)
	for name, c := range map[string]struct {
		change func(*Report)
		want   error
	}{
		"unknown door":            {func(r *Report) { r.Door = "x" }, ErrUnknownDoor},
		"replayed":                {func(r *Report) { r.Seq = 5 }, ErrReplayed},
		"of an earlier life":      {func(r *Report) { r.Life = 1; r.Seq = 900 }, ErrReplayed},
		"fewer than before":       {func(r *Report) { r.Total.Asked = 999 }, ErrAbsurd},
		"more lately than ever":   {func(r *Report) { r.Total.Lately = 2000 }, ErrAbsurd},
		"more admitted than came": {func(r *Report) { r.Total.Admitted = 101 }, ErrAbsurd},
		"lines beyond the total":  {func(r *Report) { r.Lines[0].Lately = 101 }, ErrAbsurd},
		"more cost than in all":   {func(r *Report) { r.Lines[0].Cost = 51 }, ErrAbsurd},
		"a rate of a billion":     {func(r *Report) { r.Total.Lately, r.Total.Asked = 1e9, 1e9 }, ErrAbsurd},
		"no window":               {func(r *Report) { r.Window = 0 }, ErrAbsurd},
		"a boundless capacity":    {func(r *Report) { r.Capacity = 1 << 63 }, ErrAbsurd},
	} {
		r := good()
		r.Seq = 6
		c.change(&r)
		if err := m.Accept(now, r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if after := m.Fleet(now); !reflect.DeepEqual(before, after) {
		t.Errorf("what was refused left something: %+v", after)
	}
	if v := m.Fleet(now.Add(2 * time.Second)); len(v.Live) > 0 || v.Majority() {
		t.Errorf("silent for two seconds and live: %+v", v)
	}
}
