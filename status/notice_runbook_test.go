package status

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// TestEveryNoticeHasItsPage: of whatever kind, and in each of its stages. The kinds are those
// with which the sources write IDs, so that a new one is not forgotten.
func TestEveryNoticeHasItsPage(t *testing.T) {
	stages := []string{Healing, Escalated, Stands, "short", "empty", endsIn21, endsIn7, endsLastDay, hasEnded, hasEnded + "-2"}
	for _, r := range failover.HeldReasons() {
		stages = append(stages, "held: "+string(r))
	}
	kinds := []string{strings.TrimSuffix(councilLostKind, "/"), certKind}
	for _, name := range []string{"notice.go", "notice_slots.go", "notice_verdict.go"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`ID: +(?:fmt\.Sprintf\()?"([a-z-]+)/`).FindAllStringSubmatch(string(b), -1) {
			kinds = append(kinds, m[1])
		}
	}
	if len(kinds) < 10 {
		t.Fatalf("only %q were found", kinds)
	}
	p := Page{Members: []Member{{ID: "web-1", Verdict: consensus.VerdictPartial}, {ID: "web-2", Verdict: consensus.VerdictDown}}}
	seen := map[string]bool{}
	for _, kind := range kinds {
		for _, stage := range stages {
			if kind == "case" && !strings.HasPrefix(stage, "held: ") && stage != Escalated {
				continue // nobody is told of a switchover that goes on
			}
			for _, who := range []member.ID{"web-1", "web-2"} {
				path := runbookOf(p, Notice{ID: kind + "/x", Stage: stage, Members: []member.ID{who}})
				if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(path))); err != nil || path == "" {
					t.Errorf("%s in stage %s of %s has page %q: %v", kind, stage, who, path, err)
				}
				seen[path] = true
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d pages are led to", len(seen))
	}
	if got := runbookOf(p, Notice{ID: "verdict/V-1", Stage: "held: phase of the moon"}); got != "" {
		t.Errorf("a reason of a newer build leads to %q", got)
	}
}

// TestPeopleAreToldWhichPageToRead as long as there is something to do.
func TestPeopleAreToldWhichPageToRead(t *testing.T) {
	s := newStory(t)
	s.opened()
	list, _ := Notices(s.page())
	i := slices.IndexFunc(list, func(n Notice) bool { return strings.HasPrefix(n.ID, "verdict/") })
	if i < 0 || list[i].Runbook != "docs/runbooks/MoonwatchMemberDown.md" {
		t.Fatalf("%+v", list)
	}
	m := Message{Says: SaysBegun, Cluster: "demo", Notice: list[i]}
	if !strings.Contains(m.Text(), "\n  docs/runbooks/MoonwatchMemberDown.md\n") {
		t.Errorf("it is not in the text:\n%s", m.Text())
	}
	m.Says = SaysEnded
	if strings.Contains(m.Text(), "docs/runbooks/") {
		t.Errorf("what is over needs none:\n%s", m.Text())
	}
}
