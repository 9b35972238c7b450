package daemon

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/shield/haproxy"
	"moonwatch/status"
)

const (
	prometheusDir = "../../configs/prometheus"
	grafanaDir    = "../../configs/grafana"
	runbooksDir   = "../../docs/runbooks"
)

// exported are the names of all series that agents export: one agent with a gateway,
// and the door that is a HAProxy.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	f := newFleet(t, []member.ID{"m1", "m2", "m3"}, func(f *fleet) {
		f.tune = func(n member.ID, a *config.Agent) { a.Gateway = "127.0.0.1:0" }
	})
	f.until("m1", "a page", 30*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	door := prometheus.NewRegistry()
	h, err := haproxy.Open(haproxy.Config{Socket: filepath.Join(t.TempDir(), "none"), Frontend: "web", Map: "m", Registerer: door})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	names := map[string]bool{"up": true} // Prometheus' own
	for _, reg := range []*prometheus.Registry{f.agents["m1"].reg, door} {
		if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, fam := range families {
			names[fam.GetName()] = true
			if fam.GetType().String() == "HISTOGRAM" {
				for _, end := range []string{"_bucket", "_count", "_sum"} {
					names[fam.GetName()+end] = true
				}
			}
		}
	}
	return names
}

type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Record, Alert, Expr string
			Labels, Annotations map[string]string
		}
	}
}

func rules(t *testing.T, name string) ruleFile {
	t.Helper()
	var f ruleFile
	b, err := os.ReadFile(filepath.Join(prometheusDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

// A word of ours or of the process, wherever it stands in a query. What Prometheus
// itself understands (rate, sum by, labels) begins otherwise.
var seriesName = regexp.MustCompile(`\b(?:[a-z_]+:)?(?:moonwatch|process|go)_[a-z0-9_]+(?::[a-z0-9_]+)?\b|\bup\b`)

func unknown(query string, known map[string]bool) []string {
	var missing []string
	for _, name := range seriesName.FindAllString(query, -1) {
		if !known[name] {
			missing = append(missing, name)
		}
	}
	return missing
}

// TestQueriesNameWhatIsExported: neither a rule nor a dashboard asks for a series that
// no agent exports and no rule records.
func TestQueriesNameWhatIsExported(t *testing.T) {
	known := exported(t)
	for _, name := range []string{"moonwatch-rules.yml", "moonwatch-alerts.yml"} {
		for _, g := range rules(t, name).Groups {
			for _, r := range g.Rules {
				known[r.Record] = true // a rule asks only for what was recorded above it
				asked := seriesName.FindAllString(r.Expr, -1)
				if missing := unknown(r.Expr, known); len(missing) > 0 || len(asked) == 0 {
					t.Errorf("%s: %s%s asks for %v, which nobody exports", name, r.Record, r.Alert, missing)
				}
			}
		}
	}
	boards, err := filepath.Glob(filepath.Join(grafanaDir, "*.json"))
	if err != nil || len(boards) < 3 {
		t.Fatal(boards, err)
	}
	uids := map[string]string{}
	for _, path := range boards {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			UID    string
			Title  string
			Panels []struct {
				ID      int
				Title   string
				Targets []struct{ Expr string }
			}
			Templating struct{ List []struct{ Query any } }
		}
		if err := json.Unmarshal(b, &d); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if d.UID == "" || d.Title == "" || uids[d.UID] != "" {
			t.Errorf("%s: uid %q, title %q: want both, and the uid once", path, d.UID, d.Title)
		}
		uids[d.UID] = path
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || len(p.Targets) == 0 {
				t.Errorf("%s: panel %d %q: want an id of its own and a query", path, p.ID, p.Title)
			}
			ids[p.ID] = true
			for _, q := range p.Targets {
				if missing := unknown(q.Expr, known); len(missing) > 0 || !seriesName.MatchString(q.Expr) {
					t.Errorf("%s: panel %q asks for %v: %s", path, p.Title, missing, q.Expr)
				}
			}
		}
		for _, v := range d.Templating.List {
			if missing := unknown(fmt.Sprint(v.Query), known); len(missing) > 0 {
				t.Errorf("%s: variable asks for %v", path, missing)
			}
		}
	}
}

// TestEveryAlertHasItsPage: each alert links to a page that is there, and each page of
// an alert belongs to one.
func TestEveryAlertHasItsPage(t *testing.T) {
	pages := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(runbooksDir, "Moonwatch*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		pages[strings.TrimSuffix(filepath.Base(path), ".md")] = true
	}
	for _, g := range rules(t, "moonwatch-alerts.yml").Groups {
		for _, r := range g.Rules {
			if !pages[r.Alert] {
				t.Errorf("alert %s has no page %s/%s.md", r.Alert, runbooksDir, r.Alert)
			}
			delete(pages, r.Alert)
			link := r.Annotations["runbook"]
			if want := "docs/runbooks/" + r.Alert + ".md"; link != want && link != "docs/runbooks/held-{{ $labels.reason }}.md" {
				t.Errorf("alert %s links to %q, want %q", r.Alert, link, want)
			}
			if !slices.Contains([]string{"info", "warning", "critical"}, r.Labels["severity"]) || r.Annotations["summary"] == "" {
				t.Errorf("alert %s: severity %q, summary %q", r.Alert, r.Labels["severity"], r.Annotations["summary"])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		t.Errorf("%s.md is the page of no alert", name)
	}
}

// TestEveryAlertIsSeenToFire: for each alert the tests of the rules say when it fires, with
// all of its labels, and when it does not.
func TestEveryAlertIsSeenToFire(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(prometheusDir, "moonwatch-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var played struct {
		Tests []struct {
			Alerts []struct {
				Name string `yaml:"alertname"`
				Want []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(b, &played); err != nil {
		t.Fatal(err)
	}
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, test := range played.Tests {
		for _, a := range test.Alerts {
			if len(a.Want) > 0 {
				fires[a.Name] = true
			} else {
				rests[a.Name] = true
			}
		}
	}
	for _, g := range rules(t, "moonwatch-alerts.yml").Groups {
		for _, r := range g.Rules {
			if !fires[r.Alert] {
				t.Errorf("no test of moonwatch-tests.yml sees alert %s fire", r.Alert)
			}
			if !rests[r.Alert] {
				t.Errorf("no test of moonwatch-tests.yml sees alert %s at rest", r.Alert)
			}
		}
	}
}

// TestTheFleetInNumbers: what the page shows is what is exported.
func TestTheFleetInNumbers(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newMetrics(reg, &Daemon{})
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	begun := []status.Passage{{At: now.Add(-time.Minute)}}
	m.fleet.observe(status.Page{
		Now:       now,
		Self:      status.Self{Name: "a", Listed: true},
		Council:   status.Council{Leader: "a", Quorum: true, Lost: []status.LostSeat{{Member: "c"}}},
		Knowledge: status.Knowledge{Head: 17, AsOf: now.Add(-5 * time.Second)},
		Budget:    status.Budget{Spent: 1, MaySpend: 2},
		Members:   []status.Member{{ID: "c", Verdict: consensus.VerdictDown}, {ID: "a"}, {ID: "b", Accused: true}},
		Slots:     []status.Slot{{State: status.SlotServing}, {State: status.SlotDrained}},
		Pools:     []status.Pool{{Armed: true, Free: 1, Floor: 2}, {Free: 2, Unready: 1}},
		Cases: []status.Case{
			{Open: true, State: failover.Held, Held: failover.HeldPoolEmpty, Passages: begun},
			{Open: true, State: failover.Settling, Passages: []status.Passage{{At: now.Add(-time.Hour)}}},
			{Open: false, State: failover.Closed, Held: failover.HeldBrake},
		},
	}, -2*time.Second)
	want := map[string]float64{
		"members down": 1, "members none": 2, "accused": 1, "slots serving": 1, "slots drained": 1, "slots vacant": 0,
		"held pool-empty": 1, "held brake": 0, "open cases": 2, "oldest": 60, "free": 3, "unready": 1, "short": 1, "disarmed": 1,
		"quorum": 1, "leads": 1, "lost": 1, "head": 17, "age": 5, "ahead": -2, "spent": 1, "limit": 2, "listed": 1, "blocked": 0,
	}
	g := m.fleet
	got := map[string]float64{}
	for name, c := range map[string]prometheus.Collector{
		"members down": g.members.WithLabelValues("down"), "members none": g.members.WithLabelValues("none"), "accused": g.accused,
		"slots serving": g.slots.WithLabelValues("serving"), "slots drained": g.slots.WithLabelValues("drained"), "slots vacant": g.slots.WithLabelValues("vacant"),
		"held pool-empty": g.held.WithLabelValues("pool-empty"), "held brake": g.held.WithLabelValues("brake"),
		"open cases": g.openCases, "oldest": g.caseAge, "free": g.freeSpares, "unready": g.spares.WithLabelValues("unready"),
		"short": g.poolsShort, "disarmed": g.poolsDisarmed, "quorum": g.quorum, "leads": g.leads, "lost": g.lostSeats, "head": g.head,
		"age": g.knowledgeAge, "ahead": g.aheadOf, "spent": g.budgetSpent, "limit": g.budgetLimit, "listed": g.listed, "blocked": g.blocked,
	} {
		got[name] = testutil.ToFloat64(c)
	}
	if !maps.Equal(got, want) {
		t.Errorf("exported %v, want %v", got, want)
	}
}
