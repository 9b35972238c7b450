package daemon

import (
	"encoding/json"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moonwatch/agent/gossip"
	"moonwatch/consensus/link"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/status"
)

// TestWhatAPeerSaysOfItsCertificateIsAMomentOrNothing as the page of the whole fleet has it
// in it: what JSON cannot tell, or no certificate can say, is not taken.
func TestWhatAPeerSaysOfItsCertificateIsAMomentOrNothing(t *testing.T) {
	for tag, want := range map[string]time.Time{
		"":                     {},
		"tomorrow":             {},
		"0":                    {},
		"-62135596801":         {},
		"-9223372036854775808": {},
		"1099511627776":        {}, // the year 36812
		"253402300800":         {},
		"9223372036854775807":  {},
		"253402300799":         time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"1800000000":           time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC),
	} {
		p := &peers{}
		p.adopt([]gossip.Peer{{Name: "m2", Alive: true, Tags: map[string]string{tagEnds: tag}}})
		says := p.seen()[0].Says
		if !says.Equal(want) {
			t.Errorf("%q: %v, want %v", tag, says, want)
		}
		if _, err := json.Marshal(says.UTC()); err != nil {
			t.Errorf("%q: %v", tag, err)
		}
	}
}

// TestAMetCertificateHasTheWord over what its holder says; until it is met anew, a peer that
// says something else has another certificate.
func TestAMetCertificateHasTheWord(t *testing.T) {
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	peer := func(says time.Time) gossip.Peer {
		return gossip.Peer{Name: "m2", Alive: true, Tags: map[string]string{tagEnds: strconv.FormatInt(says.Unix(), 10)}}
	}
	p := &peers{}
	boasts := peer(ends.Add(1000 * time.Hour))
	p.adopt([]gossip.Peer{boasts})
	p.meet(boasts, link.Hello{Name: "m2", Ends: ends}, nil)
	if says := p.seen()[0].Says; !says.Equal(ends) {
		t.Errorf("it says %v, and its certificate %v", says, ends)
	}
	renewed := ends.Add(90 * 24 * time.Hour)
	p.adopt([]gossip.Peer{peer(renewed)})
	if says := p.seen()[0].Says; !says.Equal(renewed) {
		t.Errorf("renewed until %v, and not met since: %v", renewed, says)
	}
}

// TestWhoseCertificateHasEndedHandsOverToAMajorityAlone that can do without it.
func TestWhoseCertificateHasEndedHandsOverToAMajorityAlone(t *testing.T) {
	now := time.Now()
	good := status.Seen{Alive: true, Says: now.Add(time.Hour), Ends: now.Add(time.Hour)}
	ended := status.Seen{Alive: true, Says: now.Add(-time.Second), Ends: now.Add(-time.Second)}
	renewed := status.Seen{Alive: true, Says: now.Add(time.Hour), Ends: now.Add(-time.Second)}
	shortened := status.Seen{Alive: true, Says: now.Add(-time.Second), Ends: now.Add(time.Hour)}
	old := status.Seen{Alive: true, Ends: now.Add(time.Hour)}
	mute, dead := good, good
	mute.Mute, dead.Alive = true, false
	three, five := []member.ID{"m1", "m2", "m3"}, []member.ID{"m1", "m2", "m3", "m4", "m5"}
	for _, x := range []struct {
		name    string
		council []member.ID
		others  []status.Seen // m2 and so on
		want    bool
	}{
		{"both others are good", three, []status.Seen{good, good}, true},
		{"one other of three", three, []status.Seen{good, ended}, false},
		{"one other of five", five, []status.Seen{ended, ended, ended, good}, false},
		{"two others of five", five, []status.Seen{ended, ended, good, good}, false},
		{"three others of five", five, []status.Seen{ended, good, good, good}, true},
		{"one was renewed, and is not met yet", three, []status.Seen{good, renewed}, true},
		{"one has another that has ended", three, []status.Seen{good, shortened}, false},
		{"one is of an older build", three, []status.Seen{good, old}, true},
		{"one is mute", three, []status.Seen{good, mute}, false},
		{"one is gone", three, []status.Seen{good, dead}, false},
		{"whoever is no councillor does not count", three, []status.Seen{good, ended, good, good}, false},
		{"it leads alone", []member.ID{"m1"}, []status.Seen{good, good}, false},
		{"no council is known", nil, []status.Seen{good, good}, false},
	} {
		self := ended
		self.Name = "m1"
		seen := []status.Seen{self}
		for i, s := range x.others {
			s.Name = five[i+1]
			seen = append(seen, s)
		}
		if got := succeeds(now, "m1", x.council, seen); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// silent are machines that take a connection and say nothing, as those do whose processes
// stand still, and how many of them were given up.
func silent(t *testing.T, n int) (addrs []string, givenUp *atomic.Int32) {
	t.Helper()
	givenUp = new(atomic.Int32)
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait) // when they listen no more
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		serving.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return // closed
				}
				serving.Go(func() {
					_, _ = io.Copy(io.Discard, c) // until whoever asks has had enough
					_ = c.Close()
					givenUp.Add(1)
				})
			}
		})
		t.Cleanup(func() { _ = l.Close() })
	}
	return addrs, givenUp
}

// TestWhoJoinsTheSilentKnowsTheOthersMeanwhile: a round of joining waits for each machine
// that does not answer, and a rack of them is minutes.
func TestWhoJoinsTheSilentKnowsTheOthersMeanwhile(t *testing.T) {
	addrs, givenUp := silent(t, 3)
	f := newFleet(t, []member.ID{"m1", "m2", "m3"}, func(f *fleet) {
		f.tune = func(n member.ID, a *config.Agent) {
			if n == "m1" {
				a.Join = addrs // and then those that answer
			}
		}
	})
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, known := f.agents["m1"].peers.address("m2"); known {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it knows nobody")
		}
	}
	if n := int(givenUp.Load()); n == len(addrs) {
		t.Errorf("it knew nobody before it had given up all %d that are silent", n)
	}
}
