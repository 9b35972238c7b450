package gossip

import (
	"bytes"
	"context"
	"encoding/binary"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
	if err := agents[0].Rotate(t.Context()); err != nil {
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
