//go:build real

package demo

import (
	"bufio"
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

// mishaps of an installed action, each on the spare that is claimed first.
var mishaps = []struct {
	name  string
	spoil func(t *testing.T, path string)
	says  string // part of the spare's own word
}{
	{"missing", func(t *testing.T, path string) { must(t, os.Remove(path)) }, "no such file"},
	{"not executable", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o600)) }, "want it executable"},
	{"failing", script("echo no such unit >&2; exit 1"), "exit 1: no such unit"},
	{"leaving a child with its output", script("sleep 20 & exit 0"), "a child held its output open"},
}

func script(text string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	}
}

func TestASpareWhoseActionFailsLeavesTheSlotToTheOther(t *testing.T) {
	for _, m := range mishaps {
		t.Run(m.name, func(t *testing.T) {
			ownTemp(t)
			c := openBroken(t, false)
			defer c.close(t)
			p := c.l.present()
			victim := p.Members[slices.IndexFunc(p.Members, func(x status.Member) bool { return x.Duty == failover.Occupant && !x.Leader })]
			first := firstClaimed(p, victim)
			m.spoil(t, filepath.Join(c.l.kit.folder.memberDir(first), "actions", "web-start"))
			lost, err := c.l.child(victim.ID)
			must(t, err)
			must(t, lost.kill())
			said := ""
			c.await(t, "the cutover", 20*time.Second, func(f consensus.Fact) bool {
				r, err := consensus.DecodePayload[failover.Report](f)
				if err == nil && f.Command.Kind == failover.KindReport && f.Command.Proposer == first && r.Case != 0 && !r.Done {
					said = r.Detail
				}
				return reaches(f, failover.Cutover)
			})
			if !strings.Contains(said, m.says) {
				t.Errorf("%s says %q, want something with %q", first, said, m.says)
			}
		})
	}
}

// firstClaimed is the spare that a case about victim claims first: one in the
// failure domain with the fewest other occupants, and rather not in victim's.
func firstClaimed(p status.Page, victim status.Member) member.ID {
	occupants := map[member.FailureDomain]int{}
	var spares []status.Member
	for _, m := range p.Members {
		switch {
		case m.Duty == failover.Spare:
			spares = append(spares, m)
		case m.ID != victim.ID:
			occupants[m.Domain]++
		}
	}
	return slices.MinFunc(spares, func(a, b status.Member) int {
		beside := func(m status.Member) int {
			if m.Domain == victim.Domain {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(occupants[a.Domain], occupants[b.Domain]), cmp.Compare(beside(a), beside(b)), cmp.Compare(a.ID, b.ID))
	}).ID
}

// A councillor that is no leader, ended and started again with another disk.
func TestACouncillorWithADamagedLedgerRefusesToStartAndOneWithoutFollows(t *testing.T) {
	ownTemp(t)
	c := openBroken(t, false)
	defer c.close(t)
	p := c.l.present()
	councillor := p.Members[slices.IndexFunc(p.Members, func(m status.Member) bool { return m.Councillor && !m.Leader })]
	x, err := c.l.child(councillor.ID)
	must(t, err)
	data := filepath.Join(x.dir, "data")

	must(t, x.signal(syscall.SIGKILL))
	<-x.ended
	damage(t, filepath.Join(data, "ledger.db"))
	must(t, x.start())
	select {
	case err := <-c.l.crashes: // that is what is wanted, and news to the launcher
		t.Logf("the launcher hears: %v", err)
	case <-time.After(5 * time.Second):
		t.Fatal("an agent runs with a damaged ledger")
	}
	if last := strings.Join(x.lastLines(1), ""); !strings.Contains(last, "damaged") || !strings.Contains(last, "move that file away") {
		t.Errorf("it says %q", last)
	}

	must(t, os.RemoveAll(data))
	must(t, os.Mkdir(data, 0o700))
	must(t, x.start())
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	await(t, "the ledger from the others", func() bool {
		q, err := askPage(context.Background(), client, netip.AddrPortFrom(x.Addr, portHTTP))
		return err == nil && q.Knowledge.Head >= p.Knowledge.Head && q.Knowledge.Current
	})
	if !slices.ContainsFunc(x.lastLines(1000), func(line string) bool { return strings.Contains(line, "following it") }) {
		t.Error("it does not say that it follows")
	}
	time.Sleep(2 * time.Second) // an election would come within 1.9 s
	// It may come back to a seat of its own, as a learner, and a learner does not vote.
	learns := slices.ContainsFunc(x.lastLines(1000), func(line string) bool {
		return strings.Contains(line, "council: "+string(x.Name)+" is kept warm as a learner")
	})
	if n := rafted(t, client, x); n != 0 && !learns {
		t.Errorf("it sent %v raft frames: an emptied councillor must not vote", n)
	}
}

// damage flips bits in the first pages of a file, behind the engine's own two.
func damage(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	for at := 8192; at < min(len(text), 40960); at += 97 {
		text[at] ^= 0xff
	}
	must(t, os.WriteFile(path, text, 0o600))
}

// rafted is how many raft frames an agent has sent in this life.
func rafted(t *testing.T, client *http.Client, x *child) int {
	t.Helper()
	res, err := client.Get("http://" + netip.AddrPortFrom(x.Addr, portDebug).String() + "/metrics")
	must(t, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "moonwatch_link_raft_frames_sent_total "); ok {
			n, err := strconv.ParseFloat(text, 64)
			must(t, err)
			return int(n)
		}
	}
	t.Fatal("no metric of raft frames")
	return 0
}
