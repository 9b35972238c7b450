package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// A transcript is a dialogue: events above the line, effects below it. The
// words that it knows are the cases of tell. MOONWATCH_REWRITE=1 writes down
// what the observer does now; read the difference before you commit it.
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

// perform plays every block of a transcript and gives it back with the effects
// that were seen.
func perform(t *testing.T, script string) string {
	t.Helper()
	s := &stage{rig: newRig(t, Default())}
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimRight(script, "\n"), "\n\n") {
		events, _, plays := strings.Cut(block, "\n----")
		if !plays {
			blocks = append(blocks, block) // a remark
			continue
		}
		s.lines, s.last, s.again = nil, "", 0
		s.seen = s.note
		for line := range strings.SplitSeq(events, "\n") {
			if !strings.HasPrefix(line, "#") {
				s.tell(line)
			}
		}
		s.flush()
		if len(s.lines) == 0 {
			s.lines = []string{"(nothing)"}
		}
		blocks = append(blocks, events+"\n----\n"+strings.Join(s.lines, "\n"))
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

type stage struct {
	*rig
	probes bool // shown
	lines  []string
	last   string
	again  int
	lastAt time.Duration
}

func (s *stage) tell(line string) {
	f := strings.Fields(line)
	switch f[0] {
	case "watch": // watch b c/service d/calm of 20
		var subjects []Subject
		size := 0
		for i, w := range f[1:] {
			if w == "of" {
				size = s.number(f[i+2])
				break
			}
			id, what, _ := strings.Cut(w, "/")
			subjects = append(subjects, Subject{ID: member.ID(id), Service: what != "", Calm: what == "calm"})
		}
		members := []member.Member{{ID: "me", Domain: "d"}}
		for _, x := range subjects {
			members = append(members, member.Member{ID: x.ID, Domain: "d"})
		}
		for len(members) < size {
			members = append(members, member.Member{ID: member.ID(fmt.Sprintf("other-%d", len(members))), Domain: "d"})
		}
		s.roster(member.NewRoster(7, members), []member.ID{"c1", "c2"}, subjects...)
	case "probes": // probes b ..x: answered, answered, lost, and so on
		for _, id := range strings.Split(f[1], ",") {
			p := s.subject(member.ID(id))
			p.pattern, p.probes = f[2], 0
		}
	case "service":
		s.subject(member.ID(f[1])).service = f[2]
	case "complains":
		s.subject(member.ID(f[1])).report = ServiceBad
	case "restarts":
		s.subject(member.ID(f[1])).life++
	case "council":
		s.acks = f[1] == "acknowledges"
	case "show":
		s.probes = f[1] == "probes"
	case "roll": // roll 3.1 b
		term, n, _ := strings.Cut(f[1], ".")
		s.step(RollCalled{Call: RollCall{
			ID: RollID{Term: uint64(s.number(term)), N: uint64(s.number(n))}, Subjects: []member.ID{member.ID(f[2])},
		}})
	case "run":
		s.run(s.duration(f[1]))
	case "stall":
		s.stall(s.duration(f[1]))
	default:
		s.t.Fatalf("transcript: %q", line)
	}
}

func (s *stage) number(w string) int {
	n, err := strconv.Atoi(w)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *stage) duration(w string) time.Duration {
	d, err := time.ParseDuration(w)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// note writes an effect down; what is only said again is counted.
func (s *stage) note(at time.Duration, e Effect) {
	stamp := fmt.Sprintf("%7.3f ", at.Seconds())
	switch e := e.(type) {
	case SendProbes:
		if s.probes {
			var ids []string
			for _, p := range e.Probes {
				ids = append(ids, string(p.Subject))
			}
			s.flush()
			s.lines = append(s.lines, stamp+"probe "+strings.Join(ids, " "))
		}
	case RunCheck:
		s.flush()
		s.lines = append(s.lines, stamp+"check "+string(e.Subject))
	case Publish:
		w := fmt.Sprintf("say to %v: %s; lives %v", e.To, words(e.Statement), e.Statement.Life)
		s.lastAt = at
		if w == s.last {
			s.again++
			return
		}
		s.flush()
		s.last = w
		s.lines = append(s.lines, stamp+w)
	}
}

func (s *stage) flush() {
	if s.again > 0 {
		s.lines = append(s.lines, fmt.Sprintf("%7.3f the same, %d times in all", s.lastAt.Seconds(), s.again+1))
	}
	s.again, s.last = 0, ""
}
