package count

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"moonwatch/shield"
)

const benchHosts = 100_000

// drawn are hosts as clients ask for them: few of them often (Zipf 1.1).
var drawn = sync.OnceValue(func() [][]byte {
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, benchHosts-1)
	out := make([][]byte, 1<<16)
	for i := range out {
		out[i] = fmt.Appendf(nil, "tenant-%05d.example.com", z.Uint64())
	}
	return out
})

func learned(b *testing.B) *Counter {
	c := small(b, 2*benchHosts)
	for i := range benchHosts {
		c.Learn(fmt.Appendf(nil, "tenant-%05d.example.com", i))
	}
	return c
}

func BenchmarkNormalise(b *testing.B) {
	hosts := make([]string, len(drawn()))
	for i, n := range drawn() {
		hosts[i] = "T" + string(n[1:]) + ":8443"
	}
	room := make([]byte, 0, shield.HostRoom)
	for i := 0; b.Loop(); i++ {
		room, _ = shield.Normalise(room, hosts[i&(1<<16-1)])
	}
}

// BenchmarkCount is what counting adds to a request: hash, find, count.
func BenchmarkCount(b *testing.B) {
	c, hosts := learned(b), drawn()
	for i := 0; b.Loop(); i++ {
		c.Add(hosts[i&(1<<16-1)])
	}
}

func BenchmarkCountParallel(b *testing.B) {
	c, hosts := learned(b), drawn()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(1 << 16); pb.Next(); i++ {
			c.Add(hosts[i&(1<<16-1)])
		}
	})
}

// BenchmarkDenySetMiss is what asking for a measure adds to a request of a
// subdomain that has none, while 64 others have.
func BenchmarkDenySetMiss(b *testing.B) {
	var held []shield.Measure
	for i := range 64 {
		held = append(held, shield.Measure{Key: shield.KeyOf(0, fmt.Appendf(nil, "attacked-%d.example.com", i)), Rung: shield.ShapeFleet})
	}
	m := shield.NewMeasures(held)
	keys := make([]shield.Key, len(drawn()))
	for i, n := range drawn() {
		keys[i] = shield.KeyOf(0, n)
	}
	for i := 0; b.Loop(); i++ {
		if m.Find(keys[i&(1<<16-1)]) != nil {
			b.Fatal("found")
		}
	}
}

// BenchmarkPeerRateInSyncMap is how a limiter per tenant is usually written in
// Go: x/time/rate in a sync.Map.
func BenchmarkPeerRateInSyncMap(b *testing.B) {
	var limiters sync.Map
	hosts := make([]string, len(drawn()))
	for i, n := range drawn() {
		hosts[i] = string(n)
		limiters.LoadOrStore(hosts[i], rate.NewLimiter(1e9, 1e9))
	}
	for i := 0; b.Loop(); i++ {
		l, _ := limiters.Load(hosts[i&(1<<16-1)])
		l.(*rate.Limiter).Allow()
	}
}

func BenchmarkBucket(b *testing.B) {
	var k Bucket
	now := time.Unix(1000, 0)
	for b.Loop() {
		k.Take(now, 1e9, 1e9)
	}
}

func BenchmarkKeyOf(b *testing.B) {
	hosts := drawn()
	var sum shield.Key
	for i := 0; b.Loop(); i++ {
		sum += shield.KeyOf(7, hosts[i&(1<<16-1)])
	}
	_ = sum
}
