package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/agent/gossip"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/status"
)

func TestASecondAgentOfOneNameLeavesAndNamesTheFirst(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3"})
	f.until("m1", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	first := f.agents["m2"].Addresses().Gossip
	// The twin has the name and certificate of m2, and a machine of its own.
	twin := f.config("m2")
	there := netip.AddrFrom4([4]byte{127, 200, 1, 2})
	twin.Bind = netip.AddrPortFrom(there, 7946)
	twin.Link = netip.AddrPortFrom(there, 7947).String()
	twin.DataDir, twin.Socket, twin.HTTP, twin.Debug = t.TempDir(), "", "", ""
	d, err := New(Config{Agent: twin, ActionsOfSelf: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = d.Run(ctx)
	if !errors.Is(err, errSameName) || !strings.Contains(err.Error(), first.String()) {
		t.Fatalf("the twin ended with %v, want %v that names %v", err, errSameName, first)
	}
}

func TestWhatAnAgentCannotStartWithIsNamed(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3"})
	other, err := pki.NewCA("other", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	old, err := f.ca.Issue("m9", nil, time.Now().Add(-2*pki.MemberValidity))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Issue("m9", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	good, err := f.ca.Issue("m9", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	save := func(i pki.Issued) config.TLS {
		dir := t.TempDir()
		x := config.TLS{Cert: filepath.Join(dir, "c"), Key: filepath.Join(dir, "k"), CA: filepath.Join(f.dir, "ca.pem")}
		if err := i.Save(x.Cert, x.Key); err != nil {
			t.Fatal(err)
		}
		return x
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		set  func(*config.Agent)
		want []string
	}{
		{"certificate of another cluster", func(a *config.Agent) { a.TLS = save(foreign) }, []string{"c"}},
		{"certificate of another member", func(a *config.Agent) { a.Name = "m8" }, []string{"certificate of m9", "want m8"}},
		{"expired certificate", func(a *config.Agent) { a.TLS = save(old) }, []string{"expired"}},
		{"port in use", func(a *config.Agent) { a.HTTP = taken.Addr().String() }, []string{"open http", taken.Addr().String(), "in use"}},
		{"data folder is a file", func(a *config.Agent) { a.DataDir = file }, []string{file}},
		{"data folder in use", func(a *config.Agent) { a.DataDir = f.config("m1").DataDir }, []string{"m1", "in use"}},
		{"no gossip key", func(a *config.Agent) { a.GossipKeyFile = filepath.Join(f.dir, "nowhere") }, []string{"nowhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := f.config("m1")
			a.Name, a.TLS, a.DataDir = "m9", save(good), t.TempDir()
			at := netip.AddrFrom4([4]byte{127, 200, 1, 9})
			a.Bind, a.Link = netip.AddrPortFrom(at, 7946), netip.AddrPortFrom(at, 7947).String()
			a.HTTP, a.Debug, a.Socket = "127.0.0.1:0", "", ""
			c.set(a)
			d, err := New(Config{Agent: a})
			if err == nil {
				d.close()
				t.Fatal("it started")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\nwant %q in it", err, w)
				}
			}
			t.Log(err)
		})
	}
}

func TestAWrongGossipKeyIsSaidWhereReadinessIsAsked(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3"})
	f.until("m1", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	a := f.config("m3")
	f.stop("m3")
	a.GossipKeyFile = filepath.Join(t.TempDir(), "wrong.key")
	if _, err := gossip.WriteKey(a.GossipKeyFile); err != nil {
		t.Fatal(err)
	}
	d, err := New(Config{Agent: a, ActionsOfSelf: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := d.isReady(); err != nil && strings.Contains(err.Error(), "key") {
			return
		}
	}
	t.Fatalf("readiness says %v, want a word about the key", d.isReady())
}

func TestAStopAtAnyMomentIsClean(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3"})
	f.until("m1", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 2))
	f.until("m1", "the fleet", 60*time.Second, func(p status.Page) bool { return len(p.Slots) == 2 })
	for i := range 12 {
		f.stop("m3")
		f.start("m3")
		time.Sleep(time.Duration(i*i) * 15 * time.Millisecond)
		began := time.Now()
		f.stop("m3")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the stop after %v took %v", time.Duration(i*i)*15*time.Millisecond, took)
		}
	}
	f.start("m3")
	f.until("m3", "m3 knows the fleet again", 60*time.Second, func(p status.Page) bool { return len(p.Slots) == 2 && p.Mode.Name != "isolated" })
}
