package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"moonwatch/agent/gossip"
	"moonwatch/consensus"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/status"
)

// fleet is a few agents in this process, each on a loopback address of its
// own, with real sockets and disks. Their service is a web server in the test.
type fleet struct {
	t       *testing.T
	dir     string
	ca      *pki.CA
	op      *pki.OperatorKey
	names   []member.ID
	addrs   map[member.ID]netip.Addr
	agents  map[member.ID]*Daemon
	stops   map[member.ID]func() error
	over    map[member.ID]chan struct{} // closed when a member's agent has ended
	web     map[member.ID]*http.Server
	port    int
	council []member.ID
	enter   []string                          // how exclusive slots are entered; nil: nobody has a keeper
	keepers func(n member.ID) (socket string) // of a member
	tune    func(n member.ID, a *config.Agent)
}

const cluster = "test"

func newFleet(t *testing.T, names []member.ID, adjust ...func(*fleet)) *fleet {
	t.Helper()
	a, b := byte(rand.IntN(200)+10), byte(rand.IntN(200)+10)
	f := layFleet(t, names, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, a, b, byte(i + 1)}) })
	for _, a := range adjust {
		a(f)
	}
	for _, n := range names {
		f.serve(n)
		f.start(n)
	}
	t.Cleanup(func() {
		for _, n := range names {
			f.stop(n)
			f.unserve(n)
		}
	})
	return f
}

// layFleet writes what the agents need, and starts none.
func layFleet(t *testing.T, names []member.ID, addr func(i int) netip.Addr) *fleet {
	t.Helper()
	f := &fleet{
		t: t, dir: t.TempDir(), names: names, addrs: map[member.ID]netip.Addr{}, agents: map[member.ID]*Daemon{},
		stops: map[member.ID]func() error{}, over: map[member.ID]chan struct{}{}, web: map[member.ID]*http.Server{}, council: names[:3],
	}
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	var err error
	f.ca, err = pki.NewCA(cluster, time.Now())
	must(err)
	must(f.ca.Save(filepath.Join(f.dir, "ca.pem"), filepath.Join(f.dir, "ca.key")))
	f.op, err = pki.NewOperatorKey("op")
	must(err)
	f.op.Grant = f.ca.Sign(consensus.GrantText(cluster, "op", f.op.PublicKey()))
	_, err = gossip.WriteKey(filepath.Join(f.dir, "gossip.key"))
	must(err)
	for i, n := range names {
		f.addrs[n] = addr(i)
		must(os.MkdirAll(filepath.Join(f.dir, string(n)), 0o700))
		cert, err := f.ca.Issue(n, []string{f.addrs[n].String()}, time.Now())
		must(err)
		must(cert.Save(filepath.Join(f.dir, string(n), "cert.pem"), filepath.Join(f.dir, string(n), "key.pem")))
	}
	actions := filepath.Join(f.dir, "actions.d")
	must(os.Mkdir(actions, 0o755))
	for _, a := range []string{"web-start", "web-stop", "web-restart"} {
		must(os.WriteFile(filepath.Join(actions, a), []byte("#!/bin/sh\nexit 0\n"), 0o755))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	f.port = l.Addr().(*net.TCPAddr).Port
	must(l.Close())
	return f
}

func (f *fleet) serve(n member.ID) {
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, n) })}
	l, err := net.Listen("tcp", netip.AddrPortFrom(f.addrs[n], uint16(f.port)).String())
	if err != nil {
		f.t.Fatal(err)
	}
	f.web[n] = s
	go s.Serve(l) //nolint:errcheck // ends with Close
}

func (f *fleet) unserve(n member.ID) {
	if s := f.web[n]; s != nil {
		s.Close()
		delete(f.web, n)
	}
}

// config is what the agent of a member runs with.
func (f *fleet) config(n member.ID) *config.Agent {
	f.t.Helper()
	dir := filepath.Join(f.dir, string(n))
	a := config.DefaultAgent()
	a.Name, a.Cluster = n, cluster
	a.Bind = netip.AddrPortFrom(f.addrs[n], 7946)
	a.Link = netip.AddrPortFrom(f.addrs[n], 7947).String()
	a.TLS = config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(f.dir, "ca.pem")}
	a.GossipKeyFile = filepath.Join(dir, "gossip.key")
	if _, err := os.Stat(a.GossipKeyFile); err != nil {
		b, _ := os.ReadFile(filepath.Join(f.dir, "gossip.key"))
		if err := os.WriteFile(a.GossipKeyFile, b, 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	a.DataDir, a.Socket = filepath.Join(dir, "data"), filepath.Join(dir, "sock")
	a.ActionsDir, a.ChecksDir = filepath.Join(f.dir, "actions.d"), filepath.Join(f.dir, "checks.d")
	a.HTTP, a.Debug = netip.AddrPortFrom(f.addrs[n], 0).String(), netip.AddrPortFrom(f.addrs[n], 0).String()
	a.ExpectCouncillors = f.council
	if f.keepers != nil {
		a.KeeperSocket = f.keepers(n)
	}
	if f.tune != nil {
		f.tune(n, &a)
	}
	for _, x := range f.names {
		a.Join = append(a.Join, netip.AddrPortFrom(f.addrs[x], 7946).String())
	}
	return &a
}

func (f *fleet) start(n member.ID) {
	f.t.Helper()
	log := zap.NewNop()
	if os.Getenv("MOONWATCH_TEST_LOG") != "" {
		log = zaptest.NewLogger(f.t, zaptest.Level(zapcore.InfoLevel)).Named(string(n))
	}
	d, err := New(Config{Agent: f.config(n), Log: log, ActionsOfSelf: true, Enter: f.enter})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, over := make(chan error, 1), make(chan struct{})
	go func() {
		done <- d.Run(ctx)
		close(over)
	}()
	f.agents[n], f.over[n] = d, over
	f.stops[n] = func() error { cancel(); return <-done }
}

func (f *fleet) stop(n member.ID) {
	if s := f.stops[n]; s != nil {
		if err := s(); err != nil {
			f.t.Errorf("stop %s: %v", n, err)
		}
		delete(f.stops, n)
	}
}

func (f *fleet) apply(fl member.Fleet) {
	f.t.Helper()
	f.applyAt(f.names[len(f.names)-1], fl)
}

// applyAt hands a fleet in at one member's agent.
func (f *fleet) applyAt(n member.ID, fl member.Fleet) {
	f.t.Helper()
	b, err := f.signed(consensus.KindFleet, fl).Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.agents[n].Submit(ctx, b); err != nil {
		f.t.Fatal(err)
	}
}

// signed is an operator's command.
func (f *fleet) signed(kind consensus.FactKind, payload any) consensus.Command {
	f.t.Helper()
	c, err := consensus.NewCommand(kind, fmt.Sprintf("%s/%d", kind, rand.Uint64()), "operator", time.Now(), payload)
	if err != nil {
		f.t.Fatal(err)
	}
	c.Warrant = &consensus.Warrant{Operator: "op", Key: f.op.PublicKey(), Grant: f.op.Grant, Signature: f.op.Sign(consensus.SignedText(cluster, c))}
	return c
}

// until waits for a page of one agent that is as wanted.
func (f *fleet) until(n member.ID, what string, within time.Duration, ok func(status.Page) bool) status.Page {
	f.t.Helper()
	end := time.Now().Add(within)
	for time.Now().Before(end) {
		if p := f.agents[n].Page(); ok(p) {
			return p
		}
		time.Sleep(20 * time.Millisecond)
	}
	f.t.Fatalf("%s: not within %v; page: %+v", what, within, f.agents[n].Page())
	return status.Page{}
}

func testFleet(f *fleet, slots int) member.Fleet {
	fl := member.Fleet{Version: 1, Profile: "demo"}
	for i, n := range f.names {
		fl.Members = append(fl.Members, member.Member{ID: n, Domain: member.FailureDomain([]string{"a", "b", "c"}[i%3]), Pool: "web", Council: true})
	}
	p := member.Pool{
		Name: "web", Fence: []string{"none"}, Armed: true, Drivers: []member.Driver{{Kind: "gateway"}},
		Checks:  member.Checks{HTTP: &member.HTTPCheck{Port: f.port, Path: "/", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond}},
		Actions: member.Actions{Activate: "web-start", Stop: "web-stop", Restart: "web-restart"},
	}
	for i := range slots {
		p.Slots = append(p.Slots, member.SlotID(fmt.Sprintf("web-%d", i)))
	}
	fl.Pools = []member.Pool{p}
	return fl
}
