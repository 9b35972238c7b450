package link_test

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/consensus/link"
	"moonwatch/member"
)

func TestCloseEndsEveryStream(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	a.SendRaft("web-2", []byte("x"))
	b.SendRaft("web-1", []byte("x"))
	a.next(t)
	b.next(t)
	batches, ended := follow(t, a, "web-2", 1)
	nextOf(t, "a heartbeat", batches)
	entered := make(chan struct{})
	b.submit = func(ctx context.Context, _ member.ID, _ []byte) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}
	submitted := make(chan error, 1)
	go func() { submitted <- a.Submit(context.Background(), "web-2", []byte("x")) }()
	nextOf(t, "the command", entered)

	b.stop(t)
	wantError(t, nextOf(t, "the end of the feed", ended), nil, "follow web-2")
	wantError(t, nextOf(t, "the end of the command", submitted), nil, "submit to web-2")

	a.stop(t)
	wantError(t, a.Submit(t.Context(), "web-2", nil), link.ErrClosed)
	wantError(t, a.Follow(t.Context(), "web-2", 1, nil), link.ErrClosed)
	_, _, err := a.Ask(t.Context(), b.Addr().String())
	wantError(t, err, link.ErrClosed)
	if a.SendRaft("web-3", []byte("x")) || a.SendRaft("web-2", []byte("x")) {
		t.Error("a closed link sends")
	}
	a.stop(t) // twice is harmless
}

func TestCloseEndsOurOwnRequests(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	batches, ended := follow(t, a, "web-2", 1)
	nextOf(t, "a heartbeat", batches)
	b.submit = func(ctx context.Context, _ member.ID, _ []byte) error { <-ctx.Done(); return ctx.Err() }
	submitted := make(chan error, 1)
	go func() { submitted <- a.Submit(context.Background(), "web-2", []byte("x")) }()
	a.stop(t)
	wantError(t, nextOf(t, "the end of the feed", ended), link.ErrClosed)
	wantError(t, nextOf(t, "the end of the command", submitted), link.ErrClosed)
}

func TestCloseWaitsForAHandlerOnlyAsLongAsItMay(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	entered, release := make(chan struct{}), make(chan struct{})
	b.submit = func(context.Context, member.ID, []byte) error { // it breaks its contract and ignores ctx
		close(entered)
		<-release
		return nil
	}
	go func() { _ = a.Submit(context.Background(), "web-2", []byte("x")) }()
	nextOf(t, "the command", entered)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantError(t, b.Close(ctx), context.DeadlineExceeded, "close link", "a handler still runs")
	close(release)
}

func TestCloseInTheMiddleOfADial(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	slow := newRelay(t, b.Addr().String())
	slow.freeze()
	c.route("web-2", slow.listener.Addr().String())
	a.SendRaft("web-2", []byte("x"))
	begin := time.Now()
	a.stop(t)
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("close took %v", took)
	}
}

func TestAClosedGateCutsWhatStandsAndHeals(t *testing.T) {
	c := newCluster(t)
	var shut atomic.Bool
	a := c.start("web-1", func(cfg *link.Config) {
		cfg.Gate = func(addr netip.Addr) bool { return !shut.Load() || addr != netip.MustParseAddr("127.0.0.1") }
	})
	b := c.start("web-2", nil)
	a.SendRaft("web-2", []byte("before"))
	b.next(t)
	batches, ended := follow(t, b, "web-1", 1)
	nextOf(t, "a heartbeat", batches)

	shut.Store(true)
	wantError(t, nextOf(t, "the feed to be cut", ended), nil, "follow web-1")
	a.awaitLog(t, "raft stream lost", "web-2")
	_, _, err := a.Ask(t.Context(), b.Addr().String()) // out
	wantError(t, err, link.ErrGate)
	if _, _, err := b.Ask(t.Context(), a.Addr().String()); err == nil { // in
		t.Error("a shut gate let somebody in")
	}

	shut.Store(false)
	if _, _, err := b.Ask(t.Context(), a.Addr().String()); err != nil {
		t.Errorf("the gate is open again: %v", err)
	}
	for len(b.frames) > 0 {
		<-b.frames
	}
	eventually(t, "a frame to arrive", func() bool {
		a.SendRaft("web-2", []byte("after"))
		return len(b.frames) > 0
	})
}

func TestAGateIsForTheAddressesItNames(t *testing.T) {
	c := newCluster(t)
	b := c.start("web-2", func(cfg *link.Config) {
		cfg.Gate = func(addr netip.Addr) bool { return addr != netip.MustParseAddr("127.0.0.3") }
	})
	at := func(ip string) func(*link.Config) {
		return func(cfg *link.Config) { cfg.Listen = ip + ":0" }
	}
	blocked, free := c.start("web-3", at("127.0.0.3")), c.start("web-4", at("127.0.0.4"))
	if _, _, err := free.Ask(t.Context(), b.Addr().String()); err != nil {
		t.Errorf("127.0.0.4: %v", err)
	}
	if _, _, err := blocked.Ask(t.Context(), b.Addr().String()); err == nil {
		t.Error("127.0.0.3 came through: it must be seen to come from where it listens")
	}
}

func TestEveryMistakeOfAConfigIsNamed(t *testing.T) {
	cfg := link.Config{Listen: "nowhere", Timing: link.DefaultTiming()}
	cfg.Timing.Silence, cfg.Timing.Dial = time.Millisecond, 0
	_, err := link.Open(cfg)
	wantError(t, err, nil, `listen is "nowhere", want address:port`, "self is empty", "cluster id is empty", "tls is missing",
		"handler is missing", "resolve is missing", "dial is 0s", "silence is 1ms, want at least two beats")
}

func TestMetricsAreThereFromTheStartAndCount(t *testing.T) {
	c := newCluster(t)
	reg := prometheus.NewRegistry()
	a := c.start("web-1", func(cfg *link.Config) { cfg.Registerer = reg })
	b := c.start("web-2", nil)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	a.feed.write("one", "two")
	batches, _ := follow(t, b, "web-1", 1)
	collect(t, batches, 1, 2)
	b.SendRaft("web-1", []byte("x"))
	a.next(t)
	a.SendRaft("web-2", make([]byte, link.MaxFrame+1))
	if err := b.Submit(t.Context(), "web-1", nil); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP moonwatch_link_feed_facts_sent_total Facts sent to followers, each once per follower.
# TYPE moonwatch_link_feed_facts_sent_total counter
moonwatch_link_feed_facts_sent_total 2
# HELP moonwatch_link_followers Members that follow our feed now.
# TYPE moonwatch_link_followers gauge
moonwatch_link_followers 1
# HELP moonwatch_link_raft_drops_total Raft frames dropped before they were sent.
# TYPE moonwatch_link_raft_drops_total counter
moonwatch_link_raft_drops_total{reason="queue_full"} 0
moonwatch_link_raft_drops_total{reason="too_large"} 1
moonwatch_link_raft_drops_total{reason="unreachable"} 0
# HELP moonwatch_link_raft_frames_received_total Raft frames received.
# TYPE moonwatch_link_raft_frames_received_total counter
moonwatch_link_raft_frames_received_total 1
# HELP moonwatch_link_submits_total Commands that members submitted here.
# TYPE moonwatch_link_submits_total counter
moonwatch_link_submits_total{result="error"} 0
moonwatch_link_submits_total{result="ok"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "moonwatch_link_feed_facts_sent_total", "moonwatch_link_followers",
		"moonwatch_link_raft_drops_total", "moonwatch_link_raft_frames_received_total", "moonwatch_link_submits_total"); err != nil {
		t.Error(err)
	}
}
