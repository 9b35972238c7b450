package door

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/internal/keeper"
	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// owner is a keeper that takes everything and remembers it.
type owner struct {
	last  atomic.Pointer[keeper.Event]
	gone  atomic.Bool
	slow  bool
	slots []keeper.Standing
	asked atomic.Uint64
}

func (o *owner) Ask(ctx context.Context, ev func(keeper.Ask) keeper.Event) (keeper.Answer, error) {
	id := keeper.Ask(o.asked.Add(1))
	e := ev(id)
	o.last.Store(&e)
	if o.slow {
		<-ctx.Done()
		o.gone.Store(true)
		return keeper.Answer{}, ctx.Err()
	}
	if r, ok := ev(id).(keeper.Released); ok && r.Epoch == 1 {
		return keeper.Answer{Refused: "too old", Standing: keeper.Standing{Slot: r.Slot, State: keeper.Held}}, nil
	}
	return keeper.Answer{Standing: keeper.Standing{Slot: "db-0", Epoch: 7, State: keeper.Held}}, nil
}

func (o *owner) Status(context.Context) (Status, error) {
	return Status{Owns: "session", Slots: o.slots}, nil
}

// open gives a socket that is served until the test ends.
func open(t *testing.T, o Owner) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "k")
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), o) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestWhatIsAskedArrivesAsItWas(t *testing.T) {
	o := &owner{}
	c := Client{Socket: open(t, o)}
	ctx := t.Context()
	l := keeper.Lease{Slot: "db-0", Epoch: 7, Boot: "b1", Sent: 5 * time.Second, Timing: keeper.Lan()}
	if st, err := c.Hand(ctx, l); err != nil || st.State != keeper.Held {
		t.Errorf("hand: %+v, %v", st, err)
	}
	if got := *o.last.Load(); got != (keeper.Handed{Ask: 1, Lease: l}) {
		t.Errorf("got %+v", got)
	}
	if _, err := c.Enter(ctx, "db-0", 7); err != nil {
		t.Error(err)
	}
	if got, ok := (*o.last.Load()).(keeper.Entering); !ok || got.PID != os.Getpid() || got.Slot != "db-0" || got.Epoch != 7 {
		t.Errorf("got %+v, want an entry of this process", *o.last.Load())
	}
	if st, err := c.Release(ctx, "db-0", 1); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "too old") || st.State != keeper.Held {
		t.Errorf("release: %+v, %v", st, err)
	}
	if st, err := c.Status(ctx); err != nil || st.Owns != "session" {
		t.Errorf("status: %+v, %v", st, err)
	}
}

// A spare that has had hundreds of slots in its time is one whose lease proves something
// still: its agent has to read what its keeper says of all of them.
func TestAKeeperThatHasSeenManySlotsIsHeard(t *testing.T) {
	o := &owner{}
	for i := range 500 {
		o.slots = append(o.slots, keeper.Standing{
			Slot: member.SlotID(fmt.Sprintf("a-slot-with-a-name-%d", i)), Epoch: member.SlotEpoch(100_000 + i), State: keeper.Vacant, Detail: "stopped: released",
		})
	}
	st, err := Client{Socket: open(t, o)}.Status(t.Context())
	if err != nil || !slices.Equal(st.Slots, o.slots) {
		t.Errorf("%d slots came, %v", len(st.Slots), err)
	}
}

func TestNonsenseIsRefusedInWords(t *testing.T) {
	path := open(t, &owner{})
	for line, want := range map[string]string{
		`{"v":2,"do":"status"}`:                                       "version is 2, this keeper speaks 1",
		`{"v":1,"do":"stop"}`:                                         `do is \"stop\", want hand`,
		`{"v":1,"do":"status","sudo":true}`:                           `unknown field \"sudo\"`,
		`{"v":1,"do":"status"} {"v":1}`:                               "more than one object",
		`{"v":1,"do":"enter","slot":"../../etc","slot_epoch":1}`:      "no name of a slot",
		`{"v":1,"do":"enter","slot":"db-0"}`:                          "wants slot and slot_epoch",
		`{"v":1,"do":"hand"}`:                                         "hand wants a lease",
		`{"v":1,"do":"hand","lease":{"slot":"-x","slot_epoch":3}}`:    "no name of a slot",
		`{"v":1,"do":"hand","lease":{"slot":"x","sent":"yesterday"}}`: "request: json",
		`GET / HTTP/1.1`:                                              "invalid character",
		strings.Repeat("x", lineLimit+1):                              "buffer full",
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(line + "\n"))
		got, _ := bufio.NewReader(conn).ReadString('\n')
		if !strings.Contains(got, want) {
			t.Errorf("%.60s: got %s, want %q", line, got, want)
		}
		conn.Close()
	}
}

// starved is a socket of a machine that has run out of descriptors, for two attempts.
type starved struct {
	net.Listener
	lacks atomic.Int32
}

func (l *starved) Accept() (net.Conn, error) {
	if l.lacks.Add(1) <= 2 {
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: os.NewSyscallError("accept4", syscall.ENFILE)}
	}
	return l.Listener.Accept()
}

// Whoever opens all files of a machine does not end its keeper: its slots would run on.
func TestAKeeperOutlivesAWantOfDescriptors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s.listener = &starved{Listener: s.listener}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), &owner{}) }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // one that has ended never answers
	defer cancel()
	if _, err := (Client{Socket: path}).Status(ctx); err != nil {
		t.Error(err)
	}
	if err := errors.Join(s.Close(), <-served); err != nil {
		t.Error(err)
	}
}

func TestASecondKeeperAtASocketIsRefusedAndAKilledOneLeavesNone(t *testing.T) {
	path := open(t, &owner{})
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another keeper listens there") {
		t.Errorf("got %v", err)
	}
	left := filepath.Join(t.TempDir(), "k")
	l, err := net.Listen("unix", left)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	l.Close()
	s, err := Listen(left)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestWhoHangsUpWaitsNoMore(t *testing.T) {
	o := &owner{slow: true}
	path := open(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := (Client{path}).Release(ctx, "db-0", 7); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's own deadline", err)
	}
	for range 100 {
		if o.gone.Load() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the keeper still waits for somebody who has gone")
}

func TestNobodyListening(t *testing.T) {
	_, err := Client{filepath.Join(t.TempDir(), "none")}.Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

func TestASelfTestProvesForAQuarterOfAnHour(t *testing.T) {
	good := Test{At: time.Minute, Good: true}
	for _, tt := range []struct {
		test Test
		now  time.Duration
		want string
	}{
		{good, 16 * time.Minute, ""},
		{good, 16*time.Minute + time.Second, "15m1s old, want at most 15m0s"},
		{Test{}, time.Minute, "no self-test yet"},
		{Test{At: time.Minute, Note: "a process did not end"}, time.Minute, "a process did not end"},
	} {
		err := Status{Test: tt.test}.Enforces(tt.now)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v at %v: %v, want %q", tt.test, tt.now, err, tt.want)
		}
	}
}
