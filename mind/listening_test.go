package mind

import (
	"testing"
	"time"

	"moonwatch/consensus"
)

// Seen in the simulator: the leader's disk was full, another one led, and those who
// followed the first heard of no fact until it had room again, 20 s later.
func TestACouncillorWhoseDiskHangsFeedsNobody(t *testing.T) {
	h := found(t, "web-1", "web-1")
	h.run(3 * time.Second)
	if !h.mind.Leading().Feeds() {
		t.Fatalf("%+v", h.mind.Leading())
	}
	var waiting []consensus.Persist
	hang := func(ev Event) {
		for _, e := range h.mind.Step(h.now, ev) {
			if p, ok := e.(Persist); ok {
				waiting = append(waiting, p.Persist)
			}
		}
	}
	c, err := consensus.NewCommand(consensus.KindFleet, "fleet/1", "ann", h.now, webFleet("web-1"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	hang(Submitted{Command: b})
	for range 19 {
		h.now = h.now.Add(100 * time.Millisecond)
		hang(Woken{})
	}
	if len(waiting) != 1 || !h.mind.Leading().Feeds() {
		t.Fatalf("after 1.9 s: %d writes, %+v", len(waiting), h.mind.Leading())
	}
	h.now = h.now.Add(200 * time.Millisecond)
	if hang(Woken{}); h.mind.Leading().Feeds() {
		t.Errorf("after 2.1 s: %+v", h.mind.Leading())
	}
	if h.step(DiskDone{Seq: waiting[0].Seq}); !h.mind.Leading().Feeds() {
		t.Errorf("the disk writes again: %+v", h.mind.Leading())
	}
}

func TestAFollowerLeavesAFeederThatDoesNotSpeakOfAQuorum(t *testing.T) {
	var l Listening
	now := noon
	l.Begin(now)
	for range 100 {
		now = now.Add(time.Second)
		if l.Quorum(now); l.Over(now) {
			t.Fatal("it leaves a feeder that speaks of a quorum")
		}
	}
	left := 0
	for range 300 {
		now = now.Add(time.Second)
		if l.Over(now) {
			left++
			l.Begin(now)
		}
	}
	if left < 10 || left > 15 {
		t.Errorf("it went to another one %d times in five minutes without a quorum, want it soon at first, and rarely later", left)
	}
	l.Quorum(now)
	if now = now.Add(listenFor); !l.Over(now) {
		t.Error("its patience is not as short as before once it has heard of a quorum")
	}
}
