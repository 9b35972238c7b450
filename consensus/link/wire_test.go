package link

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestABatchSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(rapid.Byte(), 0, 50)
		b := Batch{From: rapid.Uint64().Draw(t, "from"), Status: Status{
			Head: rapid.Uint64().Draw(t, "head"), Age: time.Duration(rapid.Int64().Draw(t, "age")), Quorum: rapid.Bool().Draw(t, "quorum"),
		}}
		if rapid.Bool().Draw(t, "is a snapshot") {
			b.Snapshot = some.Draw(t, "snapshot")
		} else if facts := rapid.SliceOfN(some, 0, 5).Draw(t, "facts"); len(facts) > 0 {
			b.Facts = facts
		}
		head, tail, err := b.encode()
		if err != nil {
			t.Fatal(err)
		}
		message, err := readFrame(bytes.NewReader(append(head, tail...)), maxMessage)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeBatch(message)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, b) {
			t.Fatalf("got %+v, want %+v", got, b)
		}
	})
}

func TestABatchCutShortIsAnError(t *testing.T) {
	for _, b := range []Batch{
		{From: 300, Facts: [][]byte{[]byte("one"), []byte("two")}},
		{From: 300, Facts: [][]byte{{}}},
		{From: 300},
	} {
		head, tail, err := b.encode()
		if err != nil {
			t.Fatal(err)
		}
		message := append(head, tail...)[frameHeader:]
		for n := range message {
			if _, err := decodeBatch(message[:n]); err == nil {
				t.Errorf("%d of %d bytes were taken for a batch", n, len(message))
			}
		}
	}
}

func TestAnAnnouncedSizeIsNotTakenOnTrust(t *testing.T) {
	huge := []byte{0x03, 0xff, 0xff, 0xff, 'x'} // says 64 MiB, brings one byte
	frame, err := readFrame(bytes.NewReader(huge), MaxFrame)
	if !errors.Is(err, io.ErrUnexpectedEOF) || cap(frame) > trusted {
		t.Errorf("%v, %d bytes set aside", err, cap(frame))
	}
	if _, err := readFrame(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff}), MaxFrame); !errors.Is(err, ErrTooLarge) {
		t.Errorf("4 GiB: %v", err)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	for _, b := range []Batch{{From: 1, Facts: [][]byte{[]byte("fact")}}, {Snapshot: []byte("all"), From: 9}} {
		head, tail, err := b.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(head, tail...)[frameHeader:])
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		b, err := decodeBatch(message)
		if err == nil && b.Snapshot != nil && b.Facts != nil {
			t.Error("both a snapshot and facts")
		}
	})
}

func TestBackoffGrowsToItsBoundAndNeverBeyond(t *testing.T) {
	timing := DefaultTiming()
	for failures := 1; failures < 100; failures++ {
		d := timing.backoff(failures)
		if d < timing.BackoffMin/2 || d > timing.BackoffMax {
			t.Errorf("%d failures: %v", failures, d)
		}
		if failures > 6 && d < timing.BackoffMax/2 {
			t.Errorf("%d failures: only %v", failures, d)
		}
	}
}
