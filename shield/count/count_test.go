package count

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"moonwatch/shield"
)

func small(t testing.TB, hosts int) *Counter {
	t.Helper()
	c, err := New(Config{Hosts: hosts, Learn: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestUnknownHostsShareTheBucketOfTheirParent(t *testing.T) {
	c := small(t, 100)
	if !c.Learn([]byte("www.example.com")) {
		t.Fatal("not learned")
	}
	bucket, _ := shield.ParentKeyOf(0, []byte("www.example.com"))
	for i := range 1000 {
		if r := c.Add(fmt.Appendf(nil, "x%d.example.com", i)); r.Key() != bucket || r.Known() {
			t.Fatalf("x%d is counted under %x", i, r.Key())
		}
	}
	c.Add([]byte("www.example.com"))
	for _, name := range []string{"www.example.org", "localhost", "10.0.0.1", ""} {
		if r := c.Add([]byte(name)); r.Key() != shield.Nameless {
			t.Errorf("%q is counted under %x, want with the nameless", name, r.Key())
		}
	}
	total, hot := c.Rotate(0)
	if total.Asked != 1005 {
		t.Errorf("%d requests, want 1005", total.Asked)
	}
	if len(hot) != 2 || hot[0].Name != "*.example.com" || hot[0].Asked != 1000 || hot[1].Key != shield.Nameless {
		t.Errorf("hot: %+v", hot)
	}
	if n := c.Known(); n != 2 {
		t.Errorf("%d are known, want www and its bucket", n)
	}
}

func TestCountsAreExactWhoeverCounts(t *testing.T) {
	c := small(t, 1000)
	const hosts, each, workers = 300, 200, 8
	for i := range hosts {
		c.Learn(fmt.Appendf(nil, "t%d.example.com", i))
	}
	var done sync.WaitGroup
	stop := make(chan struct{})
	done.Go(func() { // ticks end while they count
		for {
			select {
			case <-stop:
				return
			default:
				c.Rotate(0)
				runtime.Gosched()
			}
		}
	})
	var counting sync.WaitGroup
	for range workers {
		counting.Go(func() {
			for range each {
				for i := range hosts {
					r := c.Add(fmt.Appendf(nil, "t%d.example.com", i))
					if i%3 == 0 {
						r.Refuse()
					} else {
						r.Serve()
					}
				}
			}
		})
	}
	counting.Wait()
	close(stop)
	done.Wait()
	c.Rotate(0)
	c.Rotate(0)
	for i := range hosts {
		name := fmt.Appendf(nil, "t%d.example.com", i)
		if x := c.Read(shield.KeyOf(0, name)); x.Total != each*workers {
			t.Fatalf("%s: %d requests, want %d", name, x.Total, each*workers)
		} else if want := uint32(each * workers); i%3 == 0 && x.Refused != want {
			t.Fatalf("%s: %d refused, want %d", name, x.Refused, want)
		}
	}
	if total := c.Total(); total.Refused+total.Served != total.Asked || total.Asked != hosts*each*workers {
		t.Errorf("%d in all", total.Asked)
	}
}

// TestEveryHeavyHostIsHot: whoever has 1/256 of the requests of two like ticks.
func TestEveryHeavyHostIsHot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := New(Config{Hosts: 400, Learn: 1000})
		if err != nil {
			t.Fatal(err)
		}
		asked := rapid.SliceOfN(rapid.IntRange(0, 60), 1, 300).Draw(t, "asked")
		all := 0
		for i, n := range asked {
			c.Learn(fmt.Appendf(nil, "t%d.example.com", i))
			all += n
		}
		for range 2 {
			for i, n := range asked {
				for range n {
					c.Add(fmt.Appendf(nil, "t%d.example.com", i))
				}
			}
			_, hot := c.Rotate(0)
			found := map[string]uint64{}
			for _, h := range hot {
				found[h.Name] = h.Asked
			}
			for i, n := range asked {
				if n < max(leastHotAsked, all/hotShare+1) {
					continue
				}
				if name := fmt.Sprintf("t%d.example.com", i); found[name] != uint64(n) {
					t.Fatalf("%s has %d of %d requests, and is reported with %d", name, n, all, found[name])
				}
			}
		}
	})
}

func TestAWindowRemembersOneTick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		var sum, closed uint64
		asked := map[uint64]uint64{}
		tick := rapid.Uint64Range(0, tickMask).Draw(t, "tick")
		for range rapid.IntRange(1, 50).Draw(t, "adds") {
			tick = (tick + rapid.Uint64Range(0, 3).Draw(t, "later")) & tickMask
			n := rapid.Uint64Range(1, 1000).Draw(t, "n")
			_, after, c := w.add(tick, n)
			sum, closed = sum+n, closed+c
			asked[tick] += n
			if after != asked[tick] || w.in(tick) != after || w.in((tick-1)&tickMask) != asked[(tick-1)&tickMask] {
				t.Fatalf("tick %d: %d, now %d, before %d; want %v", tick, after, w.in(tick), w.in((tick-1)&tickMask), asked)
			}
			if closed+after != sum {
				t.Fatalf("closed %d and %d, want %d", closed, after, sum)
			}
		}
	})
}

func TestAFullCounterGoesOnAndFindsTheHeavy(t *testing.T) {
	c := small(t, 50)
	for i := range 60 {
		c.Learn(fmt.Appendf(nil, "t%d.example.com", i))
	}
	if !c.Full() || c.Known() != 50 {
		t.Fatalf("full %v with %d", c.Full(), c.Known())
	}
	heavy := []byte("new.example.com")
	bucket, _ := shield.ParentKeyOf(0, heavy)
	for tick := range 3 {
		for i := range 2000 {
			c.Add(fmt.Appendf(nil, "r%d-%d.example.com", tick, i))
		}
		var r Ref
		for range 500 {
			r = c.Add(heavy)
		}
		if want := shield.KeyOf(0, heavy); (r.Key() == want) != (tick > 0) {
			t.Errorf("tick %d: heavy is counted under %x, its key is %x, the bucket's %x", tick, r.Key(), want, bucket)
		}
		_, hot := c.Rotate(0)
		if tick > 0 {
			if len(hot) != 2 || hot[0].Key != bucket || hot[1].Name != "new.example.com" || hot[1].Asked < 500 || hot[1].Asked > 550 {
				t.Errorf("tick %d: hot %+v", tick, hot)
			}
		}
	}
}

// TestTheSketchIsNeverTooLow, and not far too high for the heavy.
func TestTheSketchIsNeverTooLow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSketch()
		asked := map[uint64]uint64{}
		for range rapid.IntRange(1, 2000).Draw(t, "adds") {
			key := rapid.Uint64().Draw(t, "key") % 3000 * 0x9e3779b97f4a7c15
			s.add(key, 7, 1)
			asked[key]++
		}
		for key, n := range asked {
			if got := least(s.cells(key), 7); got < n {
				t.Fatalf("key %x: %d, was asked for %d times", key, got, n)
			}
		}
	})
}

func TestLearningIsBounded(t *testing.T) {
	c := small(t, 1000)
	c.Rotate(3)
	learned := 0
	for i := range 100 {
		if c.Learn(fmt.Appendf(nil, "t%d.example.com", i)) {
			learned++
		}
	}
	if learned != 3 {
		t.Errorf("%d learned in a tick, want 3", learned)
	}
	if !c.Learn([]byte("t0.example.com")) {
		t.Error("a known host has to be learned anew")
	}
}

func TestAMillionHostsFitInto48MiB(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	c.Rotate(1_000_000)
	room := make([]byte, 0, 64)
	for i := 0; !c.Full() && i < 1_100_000; i++ {
		room = fmt.Appendf(room[:0], "tenant-%d.example.com", i)
		c.Learn(room)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	got := after.HeapAlloc - before.HeapAlloc
	t.Logf("%d hosts in %.1f MiB", c.Known(), float64(got)/(1<<20))
	if got > 48<<20 || c.Known() < 1_000_000 {
		t.Errorf("%d hosts in %d bytes, want a million in at most %d", c.Known(), got, 48<<20)
	}
	runtime.KeepAlive(c)
}

func TestANegativeSizeIsRefused(t *testing.T) {
	if _, err := New(Config{Hosts: 0, Learn: -1}); err == nil {
		t.Error("accepted")
	}
}
