package gossip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/member"
)

func TestARotationLosesNoDatagramAndIsKept(t *testing.T) {
	dir := t.TempDir()
	var agents []*Gossip
	for _, name := range []member.ID{"a", "b", "c"} {
		c := config(name)
		c.KeyFile = filepath.Join(dir, string(name))
		if err := replaceKeys(c.KeyFile, c.Keys); err != nil {
			t.Fatal(err)
		}
		g := start(t, c)
		agents = append(agents, g)
		join(t, g, agents[0])
	}
	for _, g := range agents {
		until(t, g, "it sees all", func() bool { return alive(g) == 3 })
	}

	a, b := agents[0], agents[1]
	stopped, sent := make(chan struct{}), make(chan uint32)
	go func() { // one datagram per millisecond, numbered
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := uint32(0); ; n++ {
			select {
			case <-stopped:
				sent <- n
				return
			case <-tick.C:
				if err := a.Send(b.Addr(), binary.BigEndian.AppendUint32(nil, n)); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	var arrived atomic.Uint32
	reading, enough := context.WithCancel(t.Context())
	defer enough()
	go func() { // b reads all the time
		for {
			select {
			case p := <-b.Packets():
				if got, want := binary.BigEndian.Uint32(p.Body), arrived.Load(); got != want {
					t.Errorf("datagram %d is %d", want, got)
				}
				arrived.Add(1)
			case <-reading.Done():
				return
			}
		}
	}()
	rotate := []struct {
		name string
		do   func() error
	}{
		{"install", func() error { return a.InstallKey(t.Context(), otherKey) }},
		{"use", func() error { return b.UseKey(t.Context(), otherKey) }},
		{"remove", func() error { return agents[2].RemoveKey(t.Context(), testKey) }},
	}
	for _, step := range rotate {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	close(stopped)
	n := <-sent
	until(t, b, "all have arrived", func() bool { return arrived.Load() == n })
	for _, g := range agents {
		if dropped(g, dropForeign) > 0 {
			t.Errorf("%s dropped %v", g.name, dropped(g, dropForeign))
		}
		stop(t, g)
		keys, err := LoadKeys(g.keyFile)
		if err != nil || len(keys) != 1 || !bytes.Equal(keys[0], otherKey) {
			t.Errorf("%s kept %d keys, %v", g.name, len(keys), err)
		}
	}
}

// TestARotationThatWasLeftHalfWayIsFinishedByTheNext: the keys of both are gone then.
func TestARotationThatWasLeftHalfWayIsFinishedByTheNext(t *testing.T) {
	agents := fleet(t, 3)
	if err := agents[1].InstallKey(t.Context(), otherKey); err != nil {
		t.Fatal(err)
	}
	if err := agents[0].Rotate(t.Context(), alone); err != nil {
		t.Fatal(err)
	}
	now := agents[0].seal.current().keys
	for _, g := range agents {
		keys := g.seal.current().keys
		if len(keys) != 1 || !bytes.Equal(keys[0], now[0]) || bytes.Equal(keys[0], testKey) || bytes.Equal(keys[0], otherKey) {
			t.Errorf("%s has %d keys, want the new one alone", g.name, len(keys))
		}
	}
}

// alone is the word of a caller that nobody else may rotate.
func alone() error { return nil }

// cutOff fails the test if somebody seals with a key that another one cannot open.
func cutOff(t *testing.T, agents []*Gossip) {
	t.Helper()
	for _, from := range agents {
		for _, to := range agents {
			first := from.seal.current().keys[0]
			if !slices.ContainsFunc(to.seal.current().keys, func(k []byte) bool { return bytes.Equal(k, first) }) {
				t.Errorf("%s cannot open what %s seals", to.name, from.name)
			}
		}
	}
}

// finish rotates once more, until all answered in time.
func finish(t *testing.T, agents []*Gossip) {
	t.Helper()
	until(t, agents[0], "a rotation ends well", func() bool {
		err := agents[0].Rotate(t.Context(), alone)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	cutOff(t, agents)
	for _, g := range agents {
		if n := len(g.seal.current().keys); n != 1 {
			t.Errorf("%s has %d keys, want the new one alone", g.name, n)
		}
	}
}

// TestTwoRotationsAtOnceCutNobodyOff although nobody keeps them apart.
func TestTwoRotationsAtOnceCutNobodyOff(t *testing.T) {
	agents := fleet(t, 3)
	for range 3 {
		var both sync.WaitGroup
		for _, g := range agents[:2] {
			both.Go(func() {
				if err := g.Rotate(t.Context(), alone); err != nil {
					t.Log(err)
				}
			})
		}
		both.Wait()
		cutOff(t, agents)
	}
	finish(t, agents)
}

// TestAnotherRotationStopsThisOne at each of the steps before which it may come.
func TestAnotherRotationStopsThisOne(t *testing.T) {
	for name, c := range map[string]struct {
		step int // before which one, from 1
		do   func(t *testing.T, other *Gossip) error
		want string
	}{
		"a new key before use":    {2, func(t *testing.T, g *Gossip) error { return g.InstallKey(t.Context(), otherKey) }, "use gossip key: a member has a key"},
		"a new key before remove": {3, func(t *testing.T, g *Gossip) error { return g.InstallKey(t.Context(), otherKey) }, "remove gossip key: a member has a key"},
		"another key is used": {
			3, func(t *testing.T, g *Gossip) error { return g.UseKey(t.Context(), testKey) },
			"remove gossip key: 0 of 3 members seal with the new key",
		},
		"somebody else may rotate now": {3, func(*testing.T, *Gossip) error { return errors.New("b leads") }, "remove gossip key: b leads"},
	} {
		t.Run(name, func(t *testing.T) {
			agents := fleet(t, 3)
			step := 0
			err := agents[0].Rotate(t.Context(), func() error {
				if step++; step == c.step {
					return c.do(t, agents[1])
				}
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			cutOff(t, agents)
			for _, g := range agents {
				if !slices.ContainsFunc(g.seal.current().keys, func(k []byte) bool { return bytes.Equal(k, testKey) }) {
					t.Errorf("%s has lost the former key", g.name)
				}
			}
			finish(t, agents)
		})
	}
}

// TestAKeyFileThatCannotBeWrittenIsSeen while the ring lasts as long as the process.
func TestAKeyFileThatCannotBeWrittenIsSeen(t *testing.T) {
	c := config("a")
	c.KeyFile = filepath.Join(t.TempDir(), "gone", "key")
	g := start(t, c)
	if err := g.Rotate(t.Context(), alone); err != nil {
		t.Fatal(err)
	}
	until(t, g, "the gauge says so", func() bool {
		g.seal.current() // no packet comes, of which the ring would be asked
		return testutil.ToFloat64(g.metrics.unkept) == 1
	})
}

func TestAKeyThatNobodyHasIsNotUsed(t *testing.T) {
	agents := fleet(t, 2)
	err := agents[0].UseKey(t.Context(), otherKey)
	if err == nil || !strings.Contains(err.Error(), "use gossip key") || !strings.Contains(err.Error(), "not in the keyring") {
		t.Errorf("error is %v", err)
	}
	if err := agents[0].InstallKey(t.Context(), []byte("short")); err == nil || !strings.Contains(err.Error(), "5 bytes, want 32") {
		t.Errorf("error is %v", err)
	}
}
