//go:build real

package daemon

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus/link"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/status"
)

// certEnds puts another certificate of the same key into its file, which ends after so
// long. The running agent takes it up.
func (f *fleet) certEnds(n member.ID, after time.Duration) {
	f.t.Helper()
	if _, err := f.ca.Renew(filepath.Join(f.dir, string(n), "cert.pem"), time.Now().Add(after-pki.MemberValidity)); err != nil {
		f.t.Fatal(err)
	}
}

// TestACertificateThatEndsCondemnsNobody of four agents on real sockets: that of the
// council's leader ends, which serves a slot. Somebody else leads then, and it stays a
// member without a verdict, also after the others were started anew one by one and had to
// connect to it again, which they refuse; it is probed and keeps its slot. A renewed file
// brings it back without a restart of anybody, and everybody shows the new end.
func TestACertificateThatEndsCondemnsNobody(t *testing.T) {
	const lasts = 10 * time.Second
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4"})
	f.until("m1", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 3))
	p := f.until("m1", "three slots are served, and a spare is ready", 90*time.Second, func(p status.Page) bool {
		return len(p.Pools) == 1 && p.Pools[0].Serving == 3 && p.Pools[0].Free == 1 && p.Council.Leader != ""
	})
	victim := p.Council.Leader
	slot := memberOf(p, victim).Slot
	if slot == "" {
		t.Fatalf("%s leads and holds no slot: %+v", victim, p.Slots)
	}
	epoch := slotOf(p, slot).Epoch
	var others []member.ID
	for _, n := range f.names {
		if n != victim {
			others = append(others, n)
		}
	}
	here := others[0]
	everybodyShows := func(what string, ok func(left time.Duration) bool) {
		t.Helper()
		for _, n := range others {
			f.until(n, what, 60*time.Second, func(p status.Page) bool {
				m := memberOf(p, victim)
				return m.Cert != nil && m.Cert.Until.Equal(m.CertEnds) && ok(time.Until(m.CertEnds))
			})
		}
	}
	everybodyShows("it has met the victim", func(left time.Duration) bool { return left > 80*24*time.Hour })
	calm := func(what string) {
		t.Helper()
		for _, n := range others {
			p := f.agents[n].Page()
			for _, v := range p.Verdicts {
				for _, x := range v.Findings {
					if x.Subject == victim {
						t.Errorf("%s: %s shows %s: %+v", what, n, v.ID, x)
					}
				}
			}
			if m := memberOf(p, victim); m.Verdict != "" || m.Expelled != "" || m.Slot != slot || slotOf(p, slot).Epoch != epoch {
				t.Errorf("%s: %s shows %+v", what, n, m)
			}
		}
	}

	ends := time.Now().Add(lasts)
	f.certEnds(victim, lasts)
	f.until(here, "somebody else leads, for its certificate has ended", 120*time.Second, func(p status.Page) bool {
		return time.Now().After(ends) && p.Council.Leader != "" && p.Council.Leader != victim
	})
	for _, n := range others {
		f.stop(n)
		f.start(n)
		f.until(n, "it is fed again", 90*time.Second, func(p status.Page) bool {
			return p.Knowledge.Current && p.Council.Leader != "" && len(p.Members) == 4
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, _, err := f.agents[here].link.Ask(ctx, f.agents[victim].link.Addr().String()); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("asked who it is: %v", err)
	}
	f.until(here, "who was started since knows that it has ended", 60*time.Second, func(p status.Page) bool {
		e := status.Endings(p)
		return len(e) == 1 && len(e[0].Members) == 1 && e[0].Members[0] == victim && e[0].Urgent(p.Now)
	})
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end) && !t.Failed(); time.Sleep(500 * time.Millisecond) { // many times what a verdict takes
		calm("with the certificate at its end")
	}
	if c, err := net.DialTimeout("tcp", net.JoinHostPort(f.addrs[victim].String(), strconv.Itoa(f.port)), 5*time.Second); err != nil {
		t.Errorf("its service: %v", err)
	} else {
		c.Close()
	}

	renewed := time.Now()
	f.certEnds(victim, pki.MemberValidity)
	everybodyShows("it has met the victim with its new certificate", func(left time.Duration) bool { return left > 80*24*time.Hour })
	f.until(victim, "it hears the council", 60*time.Second, func(p status.Page) bool { return p.Council.Quorum && p.Knowledge.Current })
	t.Logf("from the renewal to the council: %v", time.Since(renewed))
	calm("after the renewal")
}

// TestWhenAllCertificatesEndTheCouncilGoesOn over the connections that stand: nobody gives
// up its office for a councillor whom nobody could connect to either.
func TestWhenAllCertificatesEndTheCouncilGoesOn(t *testing.T) {
	const lasts = 8 * time.Second
	f := newFleet(t, []member.ID{"m1", "m2", "m3"})
	f.until("m1", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.until("m1", "a slot is served", 90*time.Second, func(p status.Page) bool { return len(p.Pools) == 1 && p.Pools[0].Serving == 1 })
	for _, n := range f.names {
		f.certEnds(n, lasts)
	}
	all := func(p status.Page) bool {
		e := status.Endings(p)
		return len(e) > 0 && e[0].Urgent(p.Now) && len(e[0].Members) == 3
	}
	for _, n := range f.names {
		f.until(n, "it hears that all end", 60*time.Second, all)
	}
	ended := f.until("m1", "all have ended", 60*time.Second, func(p status.Page) bool { return all(p) && p.Now.After(status.Endings(p)[0].First.Add(2*time.Second)) })
	for _, n := range f.names {
		if f.agents[n].outlived() {
			t.Errorf("%s gives up its office", n)
		}
	}
	f.applyAt(ended.Council.Leader, testFleet(f, 2)) // version 1 again: refused, and so decided
	p := f.until("m1", "the council decides", 60*time.Second, func(p status.Page) bool { return p.Knowledge.Head > ended.Knowledge.Head })
	if len(p.Verdicts) != 0 || !p.Council.Quorum {
		t.Errorf("verdicts %+v, council %+v", p.Verdicts, p.Council)
	}
	for _, n := range f.names {
		f.certEnds(n, pki.MemberValidity)
	}
	for _, n := range f.names {
		f.until(n, "it hears of the renewals", 60*time.Second, func(p status.Page) bool { return len(status.Endings(p)) == 0 && p.Council.Quorum })
	}
}

// TestWhenMostCertificatesHaveEndedTheCouncilGoesOn under the leader that has connections to
// everybody: one councillor with a good certificate could lead nobody, for those among
// followers were closed as nothing moved on them, and none is made anew.
func TestWhenMostCertificatesHaveEndedTheCouncilGoesOn(t *testing.T) {
	const lasts = 5 * time.Second
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4", "m5"}, func(f *fleet) { f.council = f.names })
	f.until("m1", "a leader", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.until("m1", "a roster", 60*time.Second, func(p status.Page) bool { return len(p.Members) == 5 && p.Council.Leader != "" })
	time.Sleep(link.DefaultTiming().Idle + 15*time.Second) // the followers' connections to each other are closed
	leader := f.agents["m1"].Page().Council.Leader
	ends := time.Now().Add(lasts)
	good := f.names[(slices.Index(f.names, leader)+2)%5]
	for _, n := range f.names {
		if n != good {
			f.certEnds(n, lasts)
		}
	}
	// As long as a clock is looked at, an office handed over and an election lost.
	for end := ends.Add(clockEvery + 15*time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if !slices.ContainsFunc(f.names, func(n member.ID) bool { return f.agents[n].Page().Council.Quorum }) {
			t.Fatalf("%v after the end nobody hears of a quorum", time.Since(ends))
		}
	}
	was := f.agents[leader].Page().Knowledge.Head
	f.applyAt(leader, testFleet(f, 2)) // version 1 again: refused, and so decided
	f.until(leader, "the council decides", 60*time.Second, func(p status.Page) bool { return p.Knowledge.Head > was && p.Council.Quorum })
}
