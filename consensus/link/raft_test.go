package link_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"moonwatch/consensus/link"
	"moonwatch/member"
)

func TestFramesArriveInOrderAndFromTheRightMember(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	const frames = 400 // fewer than the queue holds, so that none may be dropped
	for i := range frames {
		frame := bytes.Repeat([]byte{byte(i)}, i%300)
		if !a.SendRaft("web-2", binary.BigEndian.AppendUint32(frame, uint32(i))) {
			t.Fatalf("frame %d was dropped", i)
		}
	}
	for i := range frames {
		got := b.next(t)
		if got.from != "web-1" {
			t.Fatalf("frame %d is from %s", i, got.from)
		}
		if n := binary.BigEndian.Uint32(got.frame[len(got.frame)-4:]); n != uint32(i) || len(got.frame) != i%300+4 {
			t.Fatalf("frame %d of %d bytes in place of %d of %d", n, len(got.frame), i, i%300+4)
		}
	}
}

func TestASnapshotTravelsBesideTheStream(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	large := bytes.Repeat([]byte("snapshot"), 4<<20) // 32 MiB
	seen := map[int]bool{}
	send := func() { // again and again, as raft does: each attempt may be lost
		for _, frame := range [][]byte{large, []byte("heartbeat")} {
			if !seen[len(frame)] {
				a.SendRaft("web-2", frame)
			}
		}
	}
	again, late := time.NewTicker(3*time.Second), time.After(patience)
	defer again.Stop()
	for send(); !seen[len(large)] || !seen[len("heartbeat")]; {
		select {
		case got := <-b.frames:
			if len(got.frame) == len(large) && !bytes.Equal(got.frame, large) {
				t.Error("the snapshot is damaged")
			}
			seen[len(got.frame)] = true
		case <-again.C:
			send()
		case <-late:
			t.Fatalf("arrived: %v", seen)
		}
	}
	if a.SendRaft("web-2", make([]byte, link.MaxFrame+1)) {
		t.Error("a frame above the limit was taken")
	}
}

func TestNobodySendsToItself(t *testing.T) {
	c := newCluster(t)
	a := c.start("web-1", nil)
	if a.SendRaft("web-1", []byte("x")) {
		t.Error("a frame to ourselves was taken")
	}
}

func TestAStalledPeerHoldsUpNobody(t *testing.T) {
	c := newCluster(t)
	a, b, d := c.start("web-1", nil), c.start("web-2", nil), c.start("web-3", nil)
	slow := newRelay(t, b.Addr().String())
	c.route("web-2", slow.listener.Addr().String())
	a.SendRaft("web-2", []byte("before"))
	b.next(t)

	slow.freeze()
	frame := make([]byte, 64<<10)
	dropped := 0
	for i := range 2000 { // 125 MiB: far more than all buffers on the way
		begin := time.Now()
		if !a.SendRaft("web-2", frame) {
			dropped++
		}
		if took := time.Since(begin); took > time.Second {
			t.Fatalf("SendRaft %d took %v", i, took)
		}
	}
	if dropped == 0 {
		t.Error("everything was taken for a peer that takes nothing")
	}
	a.SendRaft("web-3", []byte("hello"))
	if got := d.next(t); string(got.frame) != "hello" {
		t.Errorf("web-3 got %d bytes", len(got.frame))
	}

	// The frozen connection is given up, and the next attempt takes the new way.
	c.route("web-2", b.Addr().String())
	for len(b.frames) > 0 {
		<-b.frames
	}
	eventually(t, "web-2 to be reached again", func() bool {
		a.SendRaft("web-2", []byte("after"))
		select {
		case got := <-b.frames:
			return string(got.frame) == "after"
		default:
			return false
		}
	})
}

func TestAPeerThatIsGoneIsNoticedAndFoundAgain(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	a.SendRaft("web-2", []byte("x"))
	b.next(t)
	b.stop(t)
	eventually(t, "frames to be dropped", func() bool { return !a.SendRaft("web-2", []byte("x")) })
	a.awaitLog(t, "raft stream lost", "web-2")

	again := c.start("web-2", nil) // a restart, at another port
	eventually(t, "a frame to arrive", func() bool {
		a.SendRaft("web-2", []byte("y"))
		return len(again.frames) > 0
	})
}

func TestAFrozenMachineIsNoticedWithoutTraffic(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	slow := newRelay(t, b.Addr().String())
	c.route("web-2", slow.listener.Addr().String())
	a.SendRaft("web-2", []byte("x"))
	b.next(t)
	slow.freeze()
	a.awaitLog(t, "raft stream lost", "web-2") // nothing was sent in between
}

func TestWhoeverAnswersForAnotherGetsNoFrames(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	c.route("web-3", b.Addr().String()) // old gossip: web-2 lives there now
	a.SendRaft("web-3", []byte("for web-3 only"))
	a.awaitLog(t, "raft stream lost", "web-3", link.ErrOtherMember.Error()+": web-2")
	if n := len(b.frames); n != 0 {
		t.Errorf("web-2 got %d frames that were not for it", n)
	}
}

func TestAMemberWithoutAddressIsUnreachable(t *testing.T) {
	c := newCluster(t)
	a := c.start("web-1", nil)
	a.SendRaft("web-9", []byte("x"))
	a.awaitLog(t, "raft stream lost", "web-9", link.ErrUnknownMember.Error())
}

func TestAnIdleStreamIsClosedAndOpenedAgain(t *testing.T) {
	c := newCluster(t)
	a := c.start("web-1", func(cfg *link.Config) {
		cfg.Timing = link.DefaultTiming()
		cfg.Timing.Idle = 50 * time.Millisecond
	})
	b := c.start("web-2", nil)
	for i := range 3 {
		frame := fmt.Sprintf("frame %d", i)
		if !a.SendRaft("web-2", []byte(frame)) {
			t.Fatalf("%s was dropped: an idle stream is no lost one", frame)
		}
		if got := b.next(t); string(got.frame) != frame {
			t.Errorf("got %q, want %q", got.frame, frame)
		}
		eventually(t, "the stream to end", func() bool {
			return b.logs.FilterMessage("raft stream ended").Len() == i+1
		})
	}
	if n := a.logs.FilterMessage("raft stream lost").Len(); n != 0 {
		t.Errorf("%d streams were lost", n)
	}
}

func TestEachPairHasItsOwnStream(t *testing.T) {
	c := newCluster(t)
	var all []*agent
	names := []member.ID{"web-1", "web-2", "web-3"}
	for _, n := range names {
		all = append(all, c.start(n, nil))
	}
	for i, a := range all {
		for j, n := range names {
			if i != j && !a.SendRaft(n, []byte(names[i])) {
				t.Fatalf("%s to %s: dropped", names[i], n)
			}
		}
	}
	for _, a := range all {
		for range len(all) - 1 {
			if got := a.next(t); string(got.frame) != string(got.from) {
				t.Errorf("frame of %s from %s", got.frame, got.from)
			}
		}
	}
}
