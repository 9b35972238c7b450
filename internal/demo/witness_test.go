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
	epoch  member.SlotEpoch
	by     member.ID
	first  time.Duration // when it was written, as inTime
	inTime time.Duration // the last one that was not late
	writes int
	late   int // came when a newer slot epoch had been heard
	double int // another member's at the same slot epoch: nobody could tell them apart
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	must(t, conn.SetReadBuffer(1<<20)) // a busy machine runs the witness late, and no write may be missed
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
		all = slices.Insert(all, i, reign{epoch: x.Epoch, by: x.Member, first: x.At})
		w.terms[x.Slot] = all
	}
	r := &all[i]
	r.writes++
	if x.Member != r.by {
		r.double++
	}
	if i < len(all)-1 {
		r.late++ // whatever its stamp says: it was taken before the machine stood still
		return
	}
	r.first, r.inTime = min(r.first, x.At), max(r.inTime, x.At)
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
		{"a", "s", 2, 10}, {"a", "s", 2, 20}, {"b", "s", 5, 30}, {"b", "s", 5, 40}, {"a", "s", 2, 21}, {"a", "s", 2, 35}, {"c", "t", 9, 1}, {"d", "s", 5, 41},
	} {
		w.heard(x)
	}
	if r := w.of("s"); len(r) != 2 || r[0].late != 2 || r[0].writes != 4 || r[0].inTime != 20 || r[1].late != 0 || r[1].double != 1 {
		t.Errorf("got %+v, want two late writes of four, the last in time at 20, and one by another member", r)
	}
}
