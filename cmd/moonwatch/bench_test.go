package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/status"
	"moonwatch/status/web"
)

// fleetOf200 is the page of a large fleet on a bad day: all that a page may hold.
func fleetOf200(b *testing.B) status.Page {
	p := fixture(b, "page-replaced.json")
	kind, verdict := p.Cases[0], p.Verdicts[0]
	p.Members, p.Slots, p.Cases, p.Verdicts, p.Facts = nil, nil, nil, nil, nil
	var observers []member.ID
	for i := range 16 {
		observers = append(observers, member.ID(fmt.Sprintf("web-%d", i)))
	}
	for i := range 200 {
		id := member.ID(fmt.Sprintf("web-%d", i))
		m := status.Member{
			ID: id, Domain: member.FailureDomain(rune('a' + i%8)), Pool: "web", Slot: member.SlotID(fmt.Sprintf("slot-%d", i)), InView: true,
			Addr: "10.0.0.1:7946", Observers: observers, Cert: &status.Cert{Key: certKey(string(id)), Until: p.Now.Add(60 * 24 * time.Hour)},
		}
		if i%3 == 0 {
			m.Verdict, m.VerdictID = consensus.VerdictDown, "V-3"
		}
		p.Members = append(p.Members, m)
		p.Slots = append(p.Slots, status.Slot{ID: m.Slot, Pool: "web", State: status.SlotServing, Occupant: id})
	}
	tally := verdict.Findings[0].Tallies[0]
	tally.Votes = nil
	for _, o := range observers {
		tally.Votes = append(tally.Votes, status.Vote{Observer: o, Stance: "down", Reason: "silence", Evidence: "silent for 2.1s, 14 probes lost"})
	}
	for i := range 100 {
		v := verdict
		v.ID, v.Findings = fmt.Sprintf("V-%d", i), slices.Clone(v.Findings)
		v.Findings[0].Tallies = []status.Tally{tally, tally}
		p.Verdicts = append(p.Verdicts, v)
		k := kind
		k.ID, k.Open = fmt.Sprintf("C-%d", i), i < 30
		p.Cases = append(p.Cases, k)
	}
	for i := range 500 {
		p.Facts = append(p.Facts, status.FactLine{Index: uint64(1000 - i), At: p.Now, Line: "C-12 web-3 slot slot-2: READY, silent for 3.74s, and the second roll call agrees", Accepted: true})
	}
	return p
}

// BenchmarkStatusOf200 times whole runs of commands, from the start of the process to its
// end, against an agent's socket: what somebody waits for at a prompt.
func BenchmarkStatusOf200(b *testing.B) {
	page := fleetOf200(b)
	pages := web.New(web.Config{})
	b.Cleanup(pages.Close)
	pages.SetPage(page)
	path := filepath.Join(b.TempDir(), "sock")
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "unix", path)
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: pages}
	go s.Serve(l) //nolint:errcheck // ends with Close
	b.Cleanup(func() { s.Close() })
	program := os.Getenv("MOONWATCH_PROGRAM") // the built one, which starts sooner than these tests
	for _, line := range []string{"status", "members", "explain web-3", "top --once"} {
		b.Run(strings.ReplaceAll(line, " ", "_"), func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				name := program
				if name == "" {
					name = os.Args[0]
				}
				cmd := exec.CommandContext(b.Context(), name, append(strings.Fields(line), "--agent", "unix:"+path)...)
				cmd.Env = append(os.Environ(), asProgram+"=1")
				cmd.Stdout = io.Discard
				began := time.Now()
				err := cmd.Run()
				took = append(took, time.Since(began))
				if code := cmd.ProcessState.ExitCode(); code != exitOK && code != exitDegraded {
					b.Fatalf("%s: %v", line, err)
				}
			}
			slices.Sort(took)
			ms := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))]) / float64(time.Millisecond) }
			b.ReportMetric(ms(0.5), "p50-ms")
			b.ReportMetric(ms(0.99), "p99-ms")
		})
	}
}
