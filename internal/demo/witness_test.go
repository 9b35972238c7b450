package demo

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"moonwatch/internal/boottime"
	"moonwatch/member"
)

// Occupants of exclusive slots write to a witness all the time. All run on one
// machine, so the stamp of one means something to the other: CLOCK_BOOTTIME is the
// same for both.

// writeEvery is how often an occupant writes.
const writeEvery = 5 * time.Millisecond

// written is one write.
type written struct {
	Member member.ID        `json:"member"`
	Slot   member.SlotID    `json:"slot"`
	Epoch  member.SlotEpoch `json:"slot_epoch"`
	At     time.Duration    `json:"at"` // when it was written, since the machine was booted
}

// runWitnessed is the shipped service of the demo, which also writes to the witness
// at the address in MOONWATCH_WITNESS.
func runWitnessed(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", os.Getenv("MOONWATCH_WITNESS"))
	if err != nil {
		return exitError
	}
	w := written{Member: member.ID(os.Getenv("MOONWATCH_MEMBER")), Slot: member.SlotID(os.Getenv("MOONWATCH_SLOT"))}
	if err := json.Unmarshal([]byte(os.Getenv("MOONWATCH_SLOT_EPOCH")), &w.Epoch); err != nil {
		return exitError
	}
	go func() {
		for ; ; time.Sleep(writeEvery) {
			w.At = boottime.Now()
			b, _ := json.Marshal(w) // strings and numbers
			_, _ = conn.Write(b)    // a witness that is gone needs no word
		}
	}()
	return RunService(ctx, args, os.Stderr)
}

// witness hears the writes of all occupants.
type witness struct {
	conn *net.UDPConn

	mu    sync.Mutex
	terms map[member.SlotID][]reign // in the order of their slot epochs
}

// reign is what one occupant wrote at one slot epoch.
type reign struct {
	epoch       member.SlotEpoch
	by          member.ID
	first, last time.Duration
	writes      int
	late        int // while a later one wrote already
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	w := &witness{conn: conn, terms: map[member.SlotID][]reign{}}
	done := make(chan struct{})
	go func() { defer close(done); w.listen() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return w
}

func (w *witness) listen() {
	b := make([]byte, 512)
	for {
		n, err := w.conn.Read(b)
		if err != nil {
			return
		}
		var x written
		if json.Unmarshal(b[:n], &x) == nil {
			w.heard(x)
		}
	}
}

func (w *witness) heard(x written) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.terms[x.Slot]
	i, ok := slices.BinarySearchFunc(all, x.Epoch, func(r reign, e member.SlotEpoch) int { return int(int64(r.epoch) - int64(e)) })
	if !ok {
		all = slices.Insert(all, i, reign{epoch: x.Epoch, by: x.Member, first: x.At, last: x.At})
		w.terms[x.Slot] = all
	}
	r := &all[i]
	r.first, r.last = min(r.first, x.At), max(r.last, x.At)
	r.writes++
	for _, later := range all[i+1:] {
		if x.At >= later.first {
			r.late++
			break
		}
	}
}

// of gives what was written to a slot.
func (w *witness) of(slot member.SlotID) []reign {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.terms[slot])
}

func TestTheWitnessSeesAnOverlap(t *testing.T) {
	w := &witness{terms: map[member.SlotID][]reign{}}
	for _, x := range []written{
		{"a", "s", 2, 10}, {"a", "s", 2, 20}, {"b", "s", 5, 30}, {"b", "s", 5, 40}, {"a", "s", 2, 35}, {"c", "t", 9, 1},
	} {
		w.heard(x)
	}
	if r := w.of("s"); len(r) != 2 || r[0].late != 1 || r[0].writes != 3 || r[1].late != 0 {
		t.Errorf("got %+v, want one late write of three", r)
	}
}
