package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus/link"
	"moonwatch/member"
)

func TestAFollowerGetsTheFactsFromWhereItAsks(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	b.feed.write("one", "two", "", "four") // an empty fact is a fact
	batches, _ := follow(t, a, "web-2", 2)
	if got := collect(t, batches, 2, 3); !slices.Equal(got, []string{"two", "", "four"}) {
		t.Errorf("got %q", got)
	}
	b.feed.write("five")
	b.feed.write("six")
	if got := collect(t, batches, 5, 2); !slices.Equal(got, []string{"five", "six"}) {
		t.Errorf("got %q", got)
	}
}

func TestALongLedgerIsCaughtUpWith(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint(i, strings.Repeat("x", 20_000))) // 6 MB: many batches
	}
	b.feed.write(want...)
	begin := time.Now()
	batches, _ := follow(t, a, "web-2", 1)
	if got := collect(t, batches, 1, len(want)); !slices.Equal(got, want) {
		t.Error("facts are missing, damaged or out of order")
	}
	t.Logf("6 MB in %v", time.Since(begin))
}

func TestAQuietFeedBeats(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	b.feed.write("one")
	batches, _ := follow(t, a, "web-2", 2)
	for range 2 { // the first comes at once, the second is the beat
		got := nextOf(t, "a heartbeat", batches)
		if len(got.Facts) != 0 || got.Snapshot != nil || got.From != 2 {
			t.Errorf("not a heartbeat: %+v", got)
		}
		want := link.Status{Head: 1, Hash: []byte("hash"), Leader: "web-1", Term: 4, Quorum: true, Age: time.Second}
		if s := got.Status; s.Head != want.Head || !bytes.Equal(s.Hash, want.Hash) || s.Leader != want.Leader ||
			s.Term != want.Term || s.Quorum != want.Quorum || s.Age != want.Age {
			t.Errorf("status %+v, want %+v", s, want)
		}
	}
}

func TestAFollowerAheadOfItsPeerWaits(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	b.feed.write("one")
	batches, _ := follow(t, a, "web-2", 3)
	nextOf(t, "a heartbeat", batches)
	b.feed.write("two")
	b.feed.write("three")
	for {
		if got := nextOf(t, "fact 3", batches); len(got.Facts) > 0 {
			if got.From != 3 || string(got.Facts[0]) != "three" {
				t.Errorf("got fact %d: %q", got.From, got.Facts[0])
			}
			return
		}
	}
}

func TestWhoIsTooFarBehindGetsASnapshotFirst(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	b.feed.write("one", "two", "three", "four")
	snapshot := bytes.Repeat([]byte("state"), 1<<20) // 5 MiB: more than one piece
	b.feed.forgetBefore(4, snapshot)
	batches, _ := follow(t, a, "web-2", 1)
	first := nextOf(t, "the snapshot", batches)
	if !bytes.Equal(first.Snapshot, snapshot) || first.From != 4 {
		t.Fatalf("first comes a snapshot of %d bytes up to %d", len(first.Snapshot), first.From-1)
	}
	if got := collect(t, batches, 4, 1); got[0] != "four" {
		t.Errorf("then comes %q", got)
	}
}

func TestAPeerThatLostItsSnapshotSaysSo(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	b.feed.write("one", "two")
	b.feed.forgetBefore(2, nil)
	_, ended := follow(t, a, "web-2", 1)
	wantError(t, nextOf(t, "the end", ended), nil, "follow web-2")
	b.awaitLog(t, "follower cannot be fed", "web-1", "none was made")
}

func TestTheSeventeenthFollowerIsSentOn(t *testing.T) {
	c := newCluster(t)
	c.start("web-0", nil)
	var first chan error
	for i := range link.MaxFollowers {
		a := c.start(member.ID(fmt.Sprintf("f-%d", i)), nil)
		batches, ended := follow(t, a, "web-0", 1)
		nextOf(t, "a heartbeat", batches)
		if i == 0 {
			first = ended
		}
	}
	late := c.start("late", nil)
	err := late.Follow(t.Context(), "web-0", 1, func(link.Batch) error { return nil })
	wantError(t, err, link.ErrFollowersFull, "follow web-0", "16 members follow already")
	var no *link.Refusal
	if !errors.As(err, &no) || len(no.Feeds) != link.MaxFollowers || no.Feeds[0] != "f-0" || no.Feeds[15] != "f-9" {
		t.Errorf("it does not name those that it feeds: %+v", no)
	}

	// One that follows already may come again: its old stream was dead.
	again := c.start("f-0", nil) // the same member after a restart
	batches, _ := follow(t, again, "web-0", 1)
	nextOf(t, "a heartbeat", batches)
	wantError(t, nextOf(t, "the end of the old stream", first), nil, "follow web-0")
}

func TestASilentFeedIsGivenUp(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	slow := newRelay(t, b.Addr().String())
	c.route("web-2", slow.listener.Addr().String())
	batches, ended := follow(t, a, "web-2", 1)
	nextOf(t, "a heartbeat", batches)
	slow.freeze()
	wantError(t, nextOf(t, "the end", ended), link.ErrSilent, "follow web-2", "2s")
}

func TestAFollowerThatFreezesLosesItsPlace(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	slow := newRelay(t, b.Addr().String())
	c.route("web-2", slow.listener.Addr().String())
	batches, _ := follow(t, a, "web-2", 1)
	nextOf(t, "a heartbeat", batches)
	slow.freeze()
	b.awaitLog(t, "follower left", "web-1")
}

func TestTheReceiverCanEndAFeed(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	b.feed.write("one")
	chain := errors.New("the audit chain is broken")
	err := a.Follow(t.Context(), "web-2", 1, func(link.Batch) error { return chain })
	wantError(t, err, chain, "follow web-2")

	ctx, cancel := context.WithCancel(t.Context())
	err = a.Follow(ctx, "web-2", 1, func(link.Batch) error { cancel(); return nil })
	wantError(t, err, context.Canceled)
	b.awaitLog(t, "follower left", "web-1")
}

func TestFollowingNobodyIsAnError(t *testing.T) {
	c := newCluster(t)
	a := c.start("web-1", nil)
	err := a.Follow(t.Context(), "web-9", 1, func(link.Batch) error { return nil })
	wantError(t, err, link.ErrUnknownMember, "follow web-9")
}
