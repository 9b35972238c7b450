package failover

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// A transcript is a dialogue: what happens above the line, what the cases do
// below it. MOONWATCH_REWRITE=1 writes down what happens now; read the
// difference before you commit it.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := perform(t, string(b))
			if os.Getenv("MOONWATCH_REWRITE") != "" {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(b) {
				t.Errorf("%s differs; now:\n%s", path, got)
			}
		})
	}
}

var results = map[string]StepResult{
	"done": ResultDone, "again": ResultAgain, "fails": ResultFailed, "unknown": ResultUnknown, "hangs": neverEnds,
}

func perform(t *testing.T, script string) string {
	t.Helper()
	fleet := webFleet(5, 3, 2, 2)
	var x *tale
	told := map[uint64]int{}
	var lines []string
	tell := func() {
		for _, c := range x.state.Cases() {
			for _, p := range c.History[told[c.ID]:] {
				w := fmt.Sprintf("%6.1f C-%d %s", p.At.Sub(noon).Seconds()-60, c.ID, p.State)
				if p.Held != "" {
					w += " " + string(p.Held)
				}
				if p.Detail != "" {
					w += ": " + p.Detail
				}
				lines = append(lines, w)
			}
			told[c.ID] = len(c.History)
		}
	}
	begin := func() {
		if x == nil {
			x = newTale(t, fleet).serving()
			x.note = func(s string) {
				tell()
				lines = append(lines, fmt.Sprintf("%6.1f %s", x.now.Sub(noon).Seconds()-60, s))
			}
		}
	}
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimRight(script, "\n"), "\n\n") {
		events, _, plays := strings.Cut(block, "\n----")
		if !plays {
			blocks = append(blocks, block)
			continue
		}
		lines = nil
		for line := range strings.SplitSeq(events, "\n") {
			f := strings.Fields(line)
			switch f[0] {
			case "#":
			case "pool": // before anything happens: fence self, exclusive, disarmed
				switch f[1] {
				case "fence":
					fleet.Pools[0].Fence = f[2:]
				case "prepare":
					fleet.Pools[0].Actions.Prepare, fleet.Pools[0].Actions.Unprepare = "prepare", "unprepare"
				case "exclusive":
					fleet.Pools[0].Exclusive = true
				case "disarmed":
					fleet.Pools[0].Armed = false
				}
			case "verdict":
				begin()
				var ids []member.ID
				for _, id := range f[2:] {
					ids = append(ids, member.ID(id))
				}
				x.judge(consensus.VerdictKind(f[1]), ids...)
			case "enforcer": // of members: keeper, watchdog or none
				begin()
				for _, id := range f[2:] {
					e := Enforcer{Kind: f[1], Watchdog: f[1] == "watchdog"}
					if e.Kind == "none" {
						e.Kind, e.Detail = "", "the keeper's socket is gone"
					}
					x.commit(KindEnforcer, member.ID(id), e)
				}
			case "fencer": // who can switch off whom, at a level
				begin()
				can := Fencer{Can: map[member.ID][]string{}}
				for _, id := range f[3:] {
					can.Can[member.ID(id)] = []string{f[2]}
				}
				x.commit(KindFencer, member.ID(f[1]), can)
			case "granted": // a lease, just now
				begin()
				x.grant(member.ID(f[1]))
			case "step":
				begin()
				x.results[member.ID(f[1])] = results[f[2]]
			case "well": // its observers reach agent and service again
				x.looks[member.ID(f[1])] = [2]agent.Stance{agent.Up, agent.Up}
			case "arm":
				fleet.Pools[0].Armed = true
				x.commit(consensus.KindFleet, "web-1", fleet)
				x.stir()
			case "leader": // a new one, with an empty memory
				x.lessor.Lead(x.now)
				x.conductor = NewConductor(x.state, x.lessor, 2, x.now)
			case "run":
				begin()
				d, err := time.ParseDuration(f[1])
				if err != nil {
					t.Fatal(err)
				}
				x.run(d)
				tell()
			default:
				t.Fatalf("transcript: %q", line)
			}
		}
		if len(lines) == 0 {
			lines = []string{"(nothing)"}
		}
		blocks = append(blocks, events+"\n----\n"+strings.Join(lines, "\n"))
	}
	return strings.Join(blocks, "\n\n") + "\n"
}
