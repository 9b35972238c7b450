package count

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"moonwatch/shield"
)

// calm lets a counter's stretches pass, in each of which hosts are asked for once.
func calm(c *Counter, stretches int, hosts ...string) {
	for range stretches {
		for i := range stretch {
			if i == stretch/2 {
				for _, h := range hosts {
					c.Add([]byte(h))
				}
			}
			c.Rotate(1 << 20)
		}
	}
}

func named(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("t%d.example.com", i))
	}
	return out
}

func learn(c *Counter, hosts []string) (n int) {
	for _, h := range hosts {
		if c.Learn([]byte(h)) {
			n++
		}
	}
	return n
}

func TestWhoIsNotAskedForAnyMoreMakesRoom(t *testing.T) {
	c := small(t, 100)
	usual, once := named(0, 10), named(10, 99)
	learn(c, usual)
	if learn(c, once); c.Known() != 100 || c.Learn([]byte("new.example.com")) || !c.Full() {
		t.Fatalf("%d are known, want 100 and no more", c.Known())
	}
	calm(c, 5, usual...)
	if c.Known() > 50 || c.Full() {
		t.Errorf("%d are known after five stretches, want no more than half of the table", c.Known())
	}
	if n := learn(c, usual); n != 10 {
		t.Errorf("%d of 10 that are asked for are still known", n)
	}
	if !c.Learn([]byte("new.example.com")) || !c.Add([]byte("new.example.com")).Known() {
		t.Error("nobody new becomes known")
	}
	if c.Rotate(1); !c.Add([]byte(usual[3])).Known() {
		t.Error("it is not known")
	}
	c.Rotate(1)
	if x := c.Read(shield.KeyOf(0, []byte(usual[3]))); x.Total != 6 {
		t.Errorf("%d requests were counted, want 6: %+v", x.Total, x)
	}
}

// TestHalfATableIsKept: while there is room nobody is forgotten, buckets among them.
func TestHalfATableIsKept(t *testing.T) {
	c := small(t, 100)
	learn(c, named(0, 49))
	calm(c, 6)
	if c.Known() != 50 {
		t.Errorf("%d are known, want 49 and their bucket", c.Known())
	}
}

// TestWhoKeepsATableFullDoesNotKeepItFromOthers: the owner of a wildcard has each of many
// names asked for now and then. Who has a usual demand stays, and who is new finds room.
func TestWhoKeepsATableFullDoesNotKeepItFromOthers(t *testing.T) {
	c := small(t, 100)
	calm(c, 4) // the door is no more young
	usual := named(0, 20)
	learn(c, usual)
	calm(c, 3, usual...)
	for i := range 12 {
		learn(c, named(1000*(i+1), 1000*(i+1)+200))
		calm(c, 1, usual...)
		if !c.Learn([]byte("new.example.com")) {
			t.Fatalf("stretch %d: nobody new becomes known, %d are", i, c.Known())
		}
	}
	for _, h := range usual {
		if !c.Add([]byte(h)).Known() {
			t.Errorf("%s is forgotten", h)
		}
	}
}

func TestUnderPressureWhoIsSeldomAskedForIsCountedTogether(t *testing.T) {
	c := small(t, 1000)
	calm(c, 4)
	usual, seldom := named(0, 10), named(10, 310)
	learn(c, usual)
	calm(c, 3, usual...)
	learn(c, seldom)
	calm(c, 1, append(seldom, usual...)...)
	flood := func() map[shield.Key]bool {
		keys := map[shield.Key]bool{}
		for _, h := range append(seldom, usual...) {
			r := c.Add([]byte(h))
			if !r.Known() {
				t.Errorf("%s is not known", h)
			}
			keys[r.Key()] = true
		}
		return keys
	}
	if keys := flood(); len(keys) != 310 {
		t.Errorf("in calm they are counted under %d keys, want each alone", len(keys))
	}
	c.Rotate(0)
	bucket, _ := shield.ParentKeyOf(0, []byte(seldom[0]))
	keys := flood()
	if len(keys) != 11 || !keys[bucket] {
		t.Errorf("under pressure they are counted under %d keys, want one for all, and each of the ten that are asked for alone", len(keys))
	}
	heavy := []byte(seldom[7])
	for range 50 {
		c.Add(heavy)
	}
	_, hot := c.Rotate(0)
	if hot[0].Key != bucket || hot[0].Name != "*.example.com" || hot[0].Asked != 350 {
		t.Errorf("the heaviest is %+v, want the bucket with 350", hot[0])
	}
	c.Rotate(1)
	if keys := flood(); len(keys) != 310 {
		t.Errorf("after the pressure they are counted under %d keys, want each alone", len(keys))
	}
}

// TestWhoIsHeavyAloneIsCountedAlone: a flood of one that is new is nobody else's.
func TestWhoIsHeavyAloneIsCountedAlone(t *testing.T) {
	c := small(t, 100)
	calm(c, 4)
	learn(c, []string{"new.example.com"})
	for range 100 {
		c.Add([]byte("new.example.com"))
	}
	key := shield.KeyOf(0, []byte("new.example.com"))
	c.Rotate(0)
	if r := c.Add([]byte("new.example.com")); r.Key() != key {
		t.Errorf("it is counted under %x, want alone", r.Key())
	}
	c.Rotate(0)
	if r := c.Add([]byte("new.example.com")); r.Key() == key {
		t.Error("it is asked for seldom by now, and counted alone")
	}
	for range 100 {
		c.Add([]byte("new.example.com"))
	}
	c.Rotate(0)
	if r := c.Add([]byte("new.example.com")); r.Key() != key {
		t.Errorf("it is flooded under pressure and counted under %x, want alone", r.Key())
	}
}

// TestWhoIsHeldStaysKnownAndIsCountedAlone: what people have pinned is found as long as they
// want it, whoever asks for it and for what.
func TestWhoIsHeldStaysKnownAndIsCountedAlone(t *testing.T) {
	c := small(t, 100)
	calm(c, 4)
	learn(c, named(0, 99))
	key := shield.KeyOf(0, []byte("t7.example.com"))
	c.Keep(shield.NewMeasures([]shield.Measure{{Key: key, Rung: shield.Stop}}))
	calm(c, 5)
	c.Rotate(0)
	if r := c.Add([]byte("t7.example.com")); r.Key() != key {
		t.Errorf("it is counted under %x, want alone", r.Key())
	}
}

// TestWhoIsNewAndBusyHasAUsualSoon: within seconds, and not only after six minutes.
func TestWhoIsNewAndBusyHasAUsualSoon(t *testing.T) {
	c := small(t, 100)
	calm(c, 4)
	learn(c, []string{"new.example.com"})
	for range 4 * noticed {
		for range 5 {
			c.Add([]byte("new.example.com"))
		}
		c.Rotate(100)
	}
	c.Rotate(0)
	c.Rotate(0)
	if r := c.Add([]byte("new.example.com")); r.Key() != shield.KeyOf(0, []byte("new.example.com")) {
		t.Errorf("it is counted under %x, want alone", r.Key())
	}
}

// TestATableIsWholeWhoeverIsForgotten: in whatever order keys come and go, each that is there
// is found, nobody else is, and there is always an end to the search.
func TestATableIsWholeWhoeverIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := New(Config{Hosts: rapid.IntRange(1, 12).Draw(t, "hosts"), Learn: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		there := map[shield.Key]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			key := shield.Key(rapid.Uint64Range(1, 16).Draw(t, "key") * 0x0ff0_0000_0000_0001)
			i, is := c.at(key)
			if is != there[key] {
				t.Fatalf("%x is there: %v, and was found: %v", key, there[key], is)
			}
			switch {
			case is && rapid.Bool().Draw(t, "goes"):
				c.forget(i)
				delete(there, key)
			case c.insert(key):
				there[key] = true
			case len(there) < int(c.capacity)-int(c.gone):
				t.Fatalf("there is no room for %x beside %d of %d, %d of them gone", key, len(there), c.capacity, c.gone)
			}
			if c.Known() != len(there) || c.gone < 0 || len(there)+int(c.gone) > int(c.capacity) {
				t.Fatalf("%d are known and %d gone, want %d of %d", c.Known(), c.gone, len(there), c.capacity)
			}
		}
	})
}

// TestWhatIsCountedLateIsNobodyElses: a request may end after its host was forgotten, and
// another has taken the place.
func TestWhatIsCountedLateIsNobodyElses(t *testing.T) {
	c := small(t, 1)
	c.insert(shield.KeyOf(0, []byte("old.example.com")))
	r := c.Add([]byte("old.example.com"))
	i, _ := c.at(r.Key())
	c.forget(i)
	for n := range 1000 {
		name := fmt.Appendf(nil, "new%d.example.com", n)
		if c.insert(shield.KeyOf(0, name)); c.find(shield.KeyOf(0, name)) == r.slot {
			r.Refuse()
			r.Cost(9, nil)
			if x := c.read(Ref{c: c, slot: r.slot, key: shield.KeyOf(0, name)}, c.tick.Load()); x.Refused != 0 || x.Cost != 0 {
				t.Fatalf("%+v", x)
			}
			return
		}
		c.forget(mustAt(t, c, name))
	}
	t.Fatal("nobody took its place")
}

func mustAt(t *testing.T, c *Counter, name []byte) uint64 {
	t.Helper()
	i, ok := c.at(shield.KeyOf(0, name))
	if !ok {
		t.Fatalf("%s is not there", name)
	}
	return i
}

// TestNobodyIsLostWhileOthersAreForgotten is for the race detector, too.
func TestNobodyIsLostWhileOthersAreForgotten(t *testing.T) {
	c := small(t, 200)
	usual := named(0, 20)
	learn(c, usual)
	const each, workers = 500, 4
	var counting sync.WaitGroup
	for w := range workers {
		counting.Go(func() {
			for i := range each {
				for _, h := range usual {
					c.Add([]byte(h)).Refuse()
				}
				c.Learn(fmt.Appendf(nil, "x%d-%d.example.com", w, i))
			}
		})
	}
	over := make(chan struct{})
	go func() { counting.Wait(); close(over) }()
	for going := true; going; {
		select {
		case <-over:
			going = false
		default:
			c.Rotate(100)
			c.filling.Lock() // time flies for those who are not asked for
			for i := range c.slots {
				if key := c.slots[i].key.Load(); key != free && key != gone && c.slots[i].refused.Load() == 0 && c.known.Load() > 100 {
					if c.slots[i].asked.in(c.tick.Load()) == 0 && i%3 == 0 {
						c.forget(uint64(i))
					}
				}
			}
			c.filling.Unlock()
		}
	}
	c.Rotate(1)
	for _, h := range usual {
		if x := c.Read(shield.KeyOf(0, []byte(h))); x.Refused != each*workers {
			t.Errorf("%s was refused %d times, want %d", h, x.Refused, each*workers)
		}
	}
}
