package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/status"
	"moonwatch/status/web"
)

func TestReadCommandsPrintTables(t *testing.T) {
	pages := map[string]status.Page{
		"open":     fixture(t, "page-open.json"),
		"replaced": fixture(t, "page-replaced.json"),
		"isolated": isolated(fixture(t, "page-open.json")),
		"empty":    {Schema: 1, Now: time.Unix(0, 0).UTC(), Self: status.Self{Name: "web-1"}},
	}
	for name, page := range pages {
		agent := agentWith(t, page, nil)
		var b strings.Builder
		for _, line := range []string{
			"status", "members", "members -o wide", "slots -o wide", "spares -o wide", "verdicts", "verdicts -o wide", "failovers", "failovers -o wide",
		} {
			r := call(t, append(strings.Fields(line), "--agent", agent)...)
			b.WriteString("$ moonwatch " + line + "\n" + r.out)
			if r.err != "" {
				b.WriteString("(stderr) " + r.err)
			}
			if r.code != exitOK {
				b.WriteString("(exit " + string(rune('0'+r.code)) + ")\n")
			}
			b.WriteString("\n")
		}
		golden(t, name+".txt", b.String())
	}
}

// isolated is a page of an agent that lost the council an hour ago.
func isolated(p status.Page) status.Page {
	p.Mode = status.Mode{Name: failover.Isolated, Means: "nothing is decided here", Since: p.Now.Add(-time.Hour), Why: "this agent hears of no council quorum"}
	p.Council.Quorum, p.Council.Leader = false, ""
	p.Knowledge.Current, p.Knowledge.AsOf = false, p.Now.Add(-time.Hour)
	p.Unlisted = []status.Unlisted{{ID: "stranger", Addr: "10.0.0.99:7946"}}
	return p
}

func TestStatusExitCodeTellsTheCondition(t *testing.T) {
	well := fixture(t, "page-replaced.json")
	well.Cases, well.Pools, well.Members, well.Slots = nil, nil, well.Members[:0], nil
	shortOfSpares := well
	shortOfSpares.Pools = []status.Pool{{Name: "web", Floor: 1}}
	condemned := well
	condemned.Members = []status.Member{{ID: "web-1", Verdict: "partial"}}
	for name, c := range map[string]struct {
		page status.Page
		code int
	}{
		"well":             {well, exitOK},
		"a slot drained":   {fixture(t, "page-open.json"), exitDegraded},
		"short of spares":  {shortOfSpares, exitDegraded},
		"a verdict stands": {condemned, exitDegraded},
		"isolated":         {isolated(well), exitNoQuorum},
	} {
		t.Run(name, func(t *testing.T) {
			call(t, "status", "--agent", agentWith(t, c.page, nil)).wants(t, c.code)
		})
	}
}

func TestJSONIsWhatTheAgentSent(t *testing.T) {
	agent := agentWith(t, fixture(t, "page-open.json"), nil)
	r := call(t, "members", "-o", "json", "--agent", agent)
	r.wants(t, exitOK)
	var doc struct {
		Schema  int             `json:"schema"`
		Members []status.Member `json:"members"`
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Schema != status.Schema || len(doc.Members) != 7 {
		t.Errorf("schema %d, %d members", doc.Schema, len(doc.Members))
	}
	call(t, "slots", "-o", "yaml", "--agent", agent).wants(t, exitOK, "slots:\n- id: slot-0")
}

func TestExplainPrintsTheReasonsAndWhereToReadOn(t *testing.T) {
	agent := agentWith(t, fixture(t, "page-replaced.json"), nil)
	call(t, "explain", "V-3", "--agent", agent).wants(t, exitOK, "V-3 calls web-3 down", "See also: moonwatch explain C-4")
	call(t, "explain", "V-99", "--agent", agent).wants(t, exitError, "verdicts: V-3")
}

func TestCompletionOffersWhatCanBeExplained(t *testing.T) {
	agent := agentWith(t, fixture(t, "page-replaced.json"), nil)
	call(t, "__complete", "explain", "--agent", agent, "").wants(t, exitOK, "web-3", "V-3", "C-4")
}

func TestTextOfOthersCannotMoveTheCursor(t *testing.T) {
	page := fixture(t, "page-open.json")
	page.Members[0].Addr = "10.0.0.5\x1b[2J\u202e:7946"
	r := call(t, "members", "-o", "wide", "--agent", agentWith(t, page, nil))
	r.wants(t, exitOK)
	if strings.ContainsAny(r.out, "\x1b\u202e") {
		t.Errorf("control characters in %q", r.out)
	}
}

func TestAnAgentOfThisMachineThatStandsStillIsNoted(t *testing.T) {
	page := fixture(t, "page-open.json") // of some day in the past
	pages := web.New(web.Config{})
	defer pages.Close()
	pages.SetPage(page)
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: pages}}
	s.Start()
	defer s.Close()
	call(t, "members", "--agent", "unix:"+path).wants(t, exitOK, "it answers and makes no progress")
}

func TestColoursStandBesideWordsAndKeepColumns(t *testing.T) {
	p := &printer{color: true}
	p.grid([][]cell{{{"a", good}, {"b", plain}}, {{"long", bad}, {"c", plain}}})
	want := "\x1b[32ma\x1b[0m     b\n\x1b[31mlong\x1b[0m  c\n"
	if got := string(p.bytes()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
