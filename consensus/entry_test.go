package consensus

import (
	"bytes"
	"testing"
	"time"

	"moonwatch/member"
)

func TestAnEntryIsACommandWithItsLeadersStamp(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC)
	for _, command := range []string{`{"id":"x","kind":"y"}`, "", "T", "T2345678", "Tjust a text that begins like one"} {
		got, when := Unstamped(Stamped([]byte(command), at))
		if string(got) != command || !when.Equal(at) {
			t.Errorf("%q at %v came back as %q at %v", command, at, got, when)
		}
	}
	bare := []byte(`{"id":"x","kind":"y"}`)
	if got, when := Unstamped(bare); !bytes.Equal(got, bare) || !when.IsZero() {
		t.Errorf("without a stamp: %q at %v", got, when)
	}
}

// TestTheLeaderDatesAFact proposes by a clock that is an hour ahead: the fact has the
// leader's time, whoever the command comes through, and its bytes are the proposer's.
func TestTheLeaderDatesAFact(t *testing.T) {
	l := NewLedger()
	if _, err := l.Found(Genesis{Cluster: "test", Council: []member.ID{"web-1"}, Unsigned: true}); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	commit := func(raft uint64, id string, said time.Time, stamp time.Time) Fact {
		c, err := NewCommand("levitation", id, "web-2", said, 1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		entry := b
		if !stamp.IsZero() {
			entry = Stamped(b, stamp)
		}
		f, fresh, err := l.Commit(raft, entry)
		if err != nil || !fresh || !bytes.Equal(f.Bytes, b) {
			t.Fatalf("%s: %v %v, bytes %q, want %q", id, fresh, err, f.Bytes, b)
		}
		return f
	}
	if f := commit(2, "ahead", now.Add(time.Hour), now); !f.Time.Equal(now) {
		t.Errorf("the fact is of %v, want %v", f.Time, now)
	}
	if f := commit(3, "next leader, a moment behind", now, now.Add(-time.Second)); !f.Time.Equal(now) {
		t.Errorf("the fact is of %v, want not before the last one's %v", f.Time, now)
	}
	if f := commit(5, "what a member found out", now.Add(time.Minute), now.Add(2*time.Minute)); !f.Said().Equal(now.Add(time.Minute)) {
		t.Errorf("said at %v, want when its proposer did", f.Said())
	}
	if f := commit(6, "by a clock that is behind", now.Add(-time.Hour), now.Add(2*time.Minute)); !f.Said().Equal(f.Time) {
		t.Errorf("said at %v, want %v: no command waits an hour", f.Said(), f.Time)
	}
	if f := commit(7, "by a clock that is ahead", now.Add(time.Hour), now.Add(2*time.Minute)); !f.Said().Equal(f.Time) {
		t.Errorf("said at %v, want %v", f.Said(), f.Time)
	}
	if f := commit(8, "without a stamp", now.Add(3*time.Minute), time.Time{}); !f.Time.Equal(now.Add(3 * time.Minute)) {
		t.Errorf("the fact is of %v, want its command's time", f.Time)
	}
}
