package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"moonwatch/agent/gossip"
	"moonwatch/consensus"
	"moonwatch/consensus/link"
	"moonwatch/internal/config"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/mind"
)

// story writes facts one after the other.
type story struct {
	t      *testing.T
	ledger *consensus.Ledger
	facts  []consensus.Fact
}

func newStory(t *testing.T) *story {
	s := &story{t: t, ledger: consensus.NewLedger()}
	f, err := s.ledger.Found(consensus.Genesis{Cluster: cluster, Council: []member.ID{"m1"}, Unsigned: true})
	if err != nil {
		t.Fatal(err)
	}
	s.facts = append(s.facts, f)
	return s
}

// add writes a fact, which has to be accepted, and tells how many there are.
func (s *story) add(kind consensus.FactKind, by member.ID, payload any) int {
	s.t.Helper()
	n := uint64(len(s.facts) + 1)
	c, err := consensus.NewCommand(kind, fmt.Sprint(kind, "/", n), by, time.Unix(int64(n), 0), payload)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	f, _, err := s.ledger.Commit(n, b)
	if err != nil || !f.Accepted {
		s.t.Fatalf("%s: %q, %v", kind, f.Reason, err)
	}
	s.facts = append(s.facts, f)
	return len(s.facts)
}

// linked is an agent of which nothing runs but its link and what it feeds.
func linked(t *testing.T, ca *pki.CA, self member.ID) *Daemon {
	t.Helper()
	dir := t.TempDir()
	files := pki.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
	issued, err := ca.Issue(self, []string{"127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(issued.Save(files.Cert, files.Key), ca.Save(files.CA, filepath.Join(dir, "ca.key"))); err != nil {
		t.Fatal(err)
	}
	keys, err := pki.OpenSource(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{self: self, cluster: cluster, cfg: Config{Agent: &config.Agent{}}, log: zap.NewNop(), feed: newFeed(nil), events: make(chan mind.Event, eventQueue)}
	d.link, err = link.Open(link.Config{
		Self: self, ClusterID: cluster, Listen: "127.0.0.1:0", Server: keys.Server(), Client: keys.Client(),
		PeerOf: pki.PeerName, Resolve: d.peers.linkAddress, Handler: handler{d}, Log: d.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.link.Close(context.WithoutCancel(t.Context())) })
	return d
}

// knows lets an agent find others.
func (d *Daemon) knows(others ...*Daemon) {
	var view []gossip.Peer
	for _, x := range others {
		at := addrPort(x.link.Addr())
		view = append(view, gossip.Peer{Name: x.self, Addr: at, Alive: true, Tags: map[string]string{tagLink: strconv.Itoa(int(at.Port()))}})
	}
	d.peers.adopt(view)
}

// A feed brings each fact once. A learner that hears nothing from the council only
// puts them aside; when one of them says that its seat is gone, it has to be fed all
// of them again, and it is the connection that has gone on.
func TestWhoLosesItsSeatWhileItIsFedCatchesUp(t *testing.T) {
	s := newStory(t)
	fleet := func(names ...member.ID) member.Fleet {
		f := member.Fleet{Version: 1}
		for _, n := range names {
			f.Members = append(f.Members, member.Member{ID: n, Domain: member.FailureDomain(n), Council: true})
		}
		return f
	}
	s.add(consensus.KindFleet, "op", fleet("m1", "m2"))
	s.add(consensus.KindDisk, "m2", consensus.Disk{ID: "d2"})
	seated := s.add(consensus.KindCouncil, "m1", consensus.Reform{Do: consensus.Learn, In: 2, Member: "m2", Disk: "d2"})
	s.add(consensus.KindFleet, "op", fleet("m1", "m2", "m3"))
	overheard := s.add(consensus.KindFleet, "op", fleet("m1"))
	all := s.add(consensus.KindCouncil, "m1", consensus.Reform{Do: consensus.Dismiss, Out: 2, Member: "m2", Why: "not in the roster"})

	ca, err := pki.NewCA(cluster, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	feeder, d := linked(t, ca, "m1"), linked(t, ca, "m2")
	d.knows(feeder)
	d.sitting.Store(&[]member.ID{"m1"})
	feeder.feed.led(mind.Led{Leader: "m1", Term: 2, Quorum: true})
	cfg := mind.Default("m2", 1)
	cfg.Disk = "d2"
	now := time.Now()
	m, err := mind.New(cfg, mind.Boot{}, now)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan uint64, eventQueue) // the last fact that came
	step := func(ev mind.Event) {
		for _, e := range m.Step(now, ev) {
			if x, ok := e.(mind.Applied); ok {
				for _, f := range x.Facts {
					d.feed.append(f)
				}
			}
			if x, ok := e.(mind.FeedAnew); ok {
				d.carryOut(t.Context(), x)
			}
			if x, ok := e.(mind.Broken); ok {
				t.Error(x.Err)
			}
		}
		d.listens.Store(m.Listens())
		if ev, ok := ev.(mind.FactsFed); ok {
			heard <- ev.Facts[len(ev.Facts)-1].Index
		}
	}
	step(mind.FactsFed{Facts: s.facts[:seated]})
	<-heard
	now = now.Add(time.Minute) // and nothing came from the council
	step(mind.Woken{})
	if _, sits := m.Seat(); !sits || !m.Listens() {
		t.Fatal("it has no seat, or does not want to be fed")
	}

	for _, f := range s.facts[:overheard] {
		feeder.feed.append(f)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { d.follow(ctx) })
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case ev := <-d.events:
				step(ev)
			}
		}
	})
	late := time.After(30 * time.Second)
	for fed := false; d.feed.head() < uint64(all); {
		select {
		case n := <-heard:
			if n == uint64(overheard) && !fed {
				fed = true
				for _, f := range s.facts[overheard:] {
					feeder.feed.append(f)
				}
			}
		case <-time.After(20 * time.Millisecond):
		case <-late:
			t.Fatalf("its ledger ends with fact %d of %d", d.feed.head(), all)
		}
	}
}

// fedAlone has an agent follow, and keep what it is fed, until the test ends.
func fedAlone(t *testing.T, d *Daemon) {
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait() })
	d.listens.Store(true)
	running.Go(func() { d.follow(ctx) })
	running.Go(func() {
		for {
			var ev mind.Event
			select {
			case <-ctx.Done():
				return
			case ev = <-d.events:
			}
			if x, ok := ev.(mind.FactsFed); ok {
				for _, f := range x.Facts {
					d.feed.append(f)
				}
			}
			if x, ok := ev.(mind.QuorumHeard); ok {
				d.feed.led(mind.Led{Leader: x.Leader, Term: x.Term, Quorum: true})
			}
		}
	})
}

// A councillor feeds sixteen. Whoever comes later is fed by one of them.
func TestWhoFindsNoPlaceIsFedByAFollower(t *testing.T) {
	ca, err := pki.NewCA(cluster, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := newStory(t)
	feeder := linked(t, ca, "m1")
	feeder.feed.append(s.facts[0])
	feeder.feed.led(mind.Led{Leader: "m1", Term: 2, Quorum: true})
	var all []*Daemon
	for i := range link.MaxFollowers + 3 {
		d := linked(t, ca, member.ID(fmt.Sprint("f", i)))
		d.life = member.Incarnation(i)
		all = append(all, d)
	}
	for _, d := range all {
		d.knows(append(all, feeder)...)
		d.sitting.Store(&[]member.ID{"m1"})
		fedAlone(t, d)
	}
	fed := func(n uint64) {
		t.Helper()
		late := time.Now().Add(30 * time.Second)
		for _, d := range all {
			for d.feed.head() < n {
				if time.Now().After(late) {
					t.Fatalf("%s has %d facts of %d", d.self, d.feed.head(), n)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
	fed(1)
	for range 3 {
		n := s.add(consensus.KindFleet, "op", member.Fleet{Version: 1})
		feeder.feed.append(s.facts[n-1])
		fed(uint64(n))
	}
}
