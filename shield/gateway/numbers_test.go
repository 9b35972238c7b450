package gateway

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTheFirstSecondOfTroubleIsFree(t *testing.T) {
	r := DefaultReflex()
	b := &budget{reflex: &r, tokens: r.RetryBurst}
	now := time.Unix(1000, 0)
	for range 500 {
		if !b.spend(now) {
			t.Fatal("denied in the first second")
		}
		now = now.Add(time.Millisecond)
	}
	now = now.Add(time.Second)
	spent := 0
	for range 100 {
		b.requests.Add(10) // 1,000 requests, each tenth late
		for range 5 {
			if b.spend(now) {
				spent++
			}
		}
		now = now.Add(50 * time.Millisecond)
	}
	if want := 100 + int(r.RetryBurst); spent > want || spent < 95 {
		t.Errorf("%d of 1,000 requests were sent again, want 10 %% and the burst of %v", spent, r.RetryBurst)
	}
	if b.spend(now.Add(r.CalmAfter - 51*time.Millisecond)) { // 1 ms before
		t.Error("free again before it was calm")
	}
	now = now.Add(3 * r.CalmAfter)
	for range 500 {
		if !b.spend(now) {
			t.Fatal("denied in the first second of the next trouble")
		}
	}
}

func TestLatenessFollowsThePool(t *testing.T) {
	r := DefaultReflex()
	l := &latency{reflex: &r}
	now := time.Unix(1000, 0)
	if got := l.lateAfter(now); got != r.LateMin {
		t.Errorf("nothing known: %v, want %v", got, r.LateMin)
	}
	feed := func(n int, d time.Duration) {
		for range n {
			l.add(d)
		}
		now = now.Add(latencyRefresh)
	}
	feed(9, 5*time.Second)
	if got := l.lateAfter(now); got != r.LateMin {
		t.Errorf("nine answers say nothing yet: %v", got)
	}
	now = now.Add(3 * latencyWindow)
	l.lateAfter(now)
	feed(1000, 5*time.Millisecond)
	if got := l.lateAfter(now); got != r.LateMin {
		t.Errorf("a fast pool: %v, want %v", got, r.LateMin)
	}
	feed(100, time.Second)
	if got := l.lateAfter(now); got < 3*time.Second || got > 3400*time.Millisecond {
		t.Errorf("each tenth takes 1 s: %v, want 3 s", got)
	}
	now = now.Add(3 * latencyWindow)
	if got := l.lateAfter(now); got != r.LateMin {
		t.Errorf("all of it is old: %v, want %v", got, r.LateMin)
	}
}

func TestLatencyBucketsHoldWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(50*time.Minute)).Draw(t, "d"))
		i := latencyBucket(d)
		if edge := latencyEdge(i); d >= edge || d > 10*time.Microsecond && float64(edge-d) > 0.126*float64(d) {
			t.Fatalf("%v is in bucket %d that ends at %v", d, i, edge)
		}
		if i > 0 && latencyEdge(i-1) > d {
			t.Fatalf("%v would fit into bucket %d", d, i-1)
		}
	})
	if latencyBucket(1000*time.Hour) != latencyBuckets-1 || latencyBucket(-1) != 0 {
		t.Error("the ends are not closed")
	}
}

func TestStrikesNeverFallBelowZero(t *testing.T) {
	o := &occupant{}
	o.inTime(time.Unix(1, 0))
	o.strikes.Add(2)
	for range 5 {
		o.inTime(time.Unix(1, 0))
	}
	if n := o.strikes.Load(); n != 0 {
		t.Errorf("%d strikes", n)
	}
}

func TestTheSureOneAnsweredLast(t *testing.T) {
	v := &view{}
	for i := range 5 {
		o := &occupant{}
		o.answeredAt.Store(int64(i))
		v.live = append(v.live, o)
	}
	v.live[4].ejectedAt.Store(1)
	for range 20 {
		if o := v.pickSure(v.live[3:4]); o != v.live[2] {
			t.Fatal("not the one that answered last of those that are left")
		}
	}
}

func TestConfigNamesEveryMistake(t *testing.T) {
	c := Config{Listen: "8080", MaxInFlight: -1, MaxBody: -1, BodyTimeout: -1, AnswerTimeout: time.Millisecond}
	c.Reflex = Reflex{
		ConnectTimeout: -1, LateFactor: 0.5, LateCount: -1, ProbeInterval: -1,
		RetryShare: 2, RetryBurst: 0.5, FreeFor: time.Minute, SlipMax: -1,
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, key := range []string{
		"listen", "max_in_flight", "max_body", "body_timeout", "answer_timeout", "connect_timeout", "late_factor",
		"late_count", "probe_interval", "retry_share", "retry_burst", "calm_after", "slip_max",
	} {
		if !strings.Contains(err.Error(), key+" is ") {
			t.Errorf("%s is not named in: %v", key, err)
		}
	}
	if err := (Config{Listen: "127.0.0.1:0"}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}
