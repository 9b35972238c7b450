package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// pastOf is the past of n slots in two pools, of which every seventh was lost now and then.
func pastOf(g status.Grain, count, n int) status.Past {
	p := status.Past{Schema: status.Schema, Cluster: "demo", Now: noon, AsOf: noon, Begun: noon.Add(-80 * 24 * time.Hour), Grain: g}
	last := noon.Truncate(g.Length())
	for i := range count {
		c := status.Cell{Begin: last.Add(time.Duration(i-count+1) * g.Length()), Known: status.Millis(g.Length() / time.Millisecond)}
		if c.Begin.Before(p.Begun) {
			c.Known = 0
		}
		p.Cells = append(p.Cells, c)
	}
	for i := range n {
		s := status.PastSlot{ID: member.SlotID(fmt.Sprintf("web-%d", i)), Pool: "web", Is: "served", From: p.Begun}
		if i >= n*4/5 {
			s.ID, s.Pool = member.SlotID(fmt.Sprintf("api-%d", i)), "api"
		}
		for j, c := range p.Cells {
			s.There += c.Known
			if c.Known > 0 && i%7 == 3 && (i+j)%23 == 0 {
				m := status.Mark{Cell: j, Share: status.Share{Lost: status.Millis(4240 + 1000*(i*j%900)), Failovers: 1}}
				if j%5 == 0 {
					m.Away = 60000
				}
				lost(&p, &s, m)
			}
		}
		p.Slots = append(p.Slots, s)
	}
	slices.SortStableFunc(p.Outages, func(a, b status.Outage) int { return b.From.Compare(a.From) })
	if n > 1 {
		p.Cells[count-20].Cascade, p.Cells[count-30].Guarded = 600000, 60000
		p.Slots[1].Marks = []status.Mark{{Cell: count - 10, Share: status.Share{Away: 3600000}}}
		p.Outages = append([]status.Outage{{Slot: p.Slots[1].ID, Pool: "web", From: noon.Add(-14 * time.Minute), Subject: "web-9", Case: "C-412", Held: 700000}}, p.Outages...)
	}
	return p
}

func lost(p *status.Past, s *status.PastSlot, m status.Mark) {
	s.Marks = append(s.Marks, m)
	s.Sum.Lost += m.Lost
	s.Sum.Failovers++
	p.Cells[m.Cell].Lost += m.Lost
	p.Cells[m.Cell].Failovers++
	from := p.Cells[m.Cell].Begin.Add(p.Grain.Length() / 3)
	p.Outages = append(p.Outages, status.Outage{Slot: s.ID, Pool: s.Pool, From: from, To: from.Add(m.Lost.Duration()), Subject: "web-7", Case: "C-400"})
}

// withPast shows the past as well, which is there before the page: the page tells of it at once.
func withPast(t *testing.T, page status.Page, n int) *Server {
	t.Helper()
	s := New(Config{})
	t.Cleanup(s.Close)
	s.SetPast(pastOf(status.Day, 90, n))
	s.SetPast(pastOf(status.Hour, 48, n))
	s.SetPast(pastOf(status.Minute, 60, n))
	s.SetPage(page)
	return s
}

func TestThePastIsShownInEachSpanAndLanguage(t *testing.T) {
	s := withPast(t, fleetPage(7), 9)
	for path, want := range map[string][]string{
		"/history":                  {`lang="en"`, "Below 99.99 %", "web-3", "C-412", "goes on, for 14 min", `aria-current="true">90 days`},
		"/history?span=48h":         {`aria-current="true">48 hours`},
		"/history?span=60m":         {`aria-current="true">60 minutes`},
		"/history?span=nonsense":    {`aria-current="true">90 days`},
		"/history?lang=ja":          {`lang="ja"`, "稼働率", "99.99 % 未満", "継続中（14 分）", "3月"},
		"/history?lang=xx":          {`lang="en"`},
		"/history?lang=ja&span=48h": {`href="/history?lang=en&amp;span=48h"`},
	} {
		w := get(s, path)
		for _, x := range want {
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), x) {
				t.Errorf("%s: %d, lacks %q", path, w.Code, x)
			}
		}
	}
	if w := get(s, "/history", "Accept-Language", "fr, ja;q=0.8, en;q=0.5"); !strings.Contains(w.Body.String(), `lang="ja"`) || !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Accept-Language") {
		t.Error("the language that a browser wants is not heard")
	}
	for _, odd := range []string{"", ";;;q=,", "ja;q=x", "*", "ja;q=0", "ja;q=NaN", strings.Repeat("x,", 5000)} {
		if w := get(s, "/history", "Accept-Language", odd); !strings.Contains(w.Body.String(), `<html lang="en">`) {
			t.Errorf("Accept-Language %.20q does not mean English", odd)
		}
	}
}

func TestThePastAsJSON(t *testing.T) {
	s := withPast(t, fleetPage(7), 9)
	for _, g := range status.Grains() {
		var p status.Past
		if err := json.Unmarshal(get(s, "/api/v1/history/"+string(g)).Body.Bytes(), &p); err != nil || p.Grain != g || len(p.Slots) != 9 {
			t.Errorf("%s: %v, %d slots of grain %s", g, err, len(p.Slots), p.Grain)
		}
	}
	if w := get(s, "/api/v1/history/week"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "history/day") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(open(t, fleetPage(7)), "/history"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without a past: %d", w.Code)
	}
}

func TestAPastOfNothingRenders(t *testing.T) {
	s := open(t, fleetPage(7))
	s.SetPast(status.NewChronicle().Past("demo", noon, noon, status.Day, 90))
	if body := get(s, "/history").Body.String(); !strings.Contains(body, "Nothing is known yet") || !strings.Contains(body, "</html>") {
		t.Errorf("%s", body)
	}
}

// transferred is what a browser loads for a page, compressed.
func transferred(t *testing.T, s http.Handler, path string) (total int, body string) {
	t.Helper()
	html := get(s, path, "Accept-Encoding", "gzip")
	plain, err := gzip.NewReader(bytes.NewReader(html.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	total = html.Body.Len()
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(string(b), -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			total += get(s, m[1], "Accept-Encoding", "gzip").Body.Len()
		}
	}
	return total, string(b)
}

func TestThePastOfTwoHundredSlotsIsAtMost30KB(t *testing.T) {
	s := withPast(t, fleetPage(200), 200)
	for _, path := range []string{"/history", "/history?lang=ja", "/history?span=48h", "/history?span=60m"} {
		total, body := transferred(t, s, path)
		t.Logf("%s: %d bytes, %d plain", path, total, len(body))
		if total > 30_000 {
			t.Errorf("%s: %d bytes, want at most 30,000", path, total)
		}
	}
}

func TestMarkupInThePastIsText(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	p := pastOf(status.Day, 90, 9)
	p.Cluster = evil
	for i := range p.Slots {
		p.Slots[i].ID, p.Slots[i].Pool = evil, evil
	}
	for i := range p.Outages {
		p.Outages[i].Slot, p.Outages[i].Subject, p.Outages[i].Case = evil, evil, evil
	}
	s := New(Config{})
	t.Cleanup(s.Close)
	s.SetPast(p)
	s.SetPage(fleetPage(7))
	for _, path := range []string{"/history?lang=ja&span=%22%3E%3Cscript%3E", "/"} {
		if body := get(s, path).Body.String(); strings.Contains(body, "<script>") {
			t.Errorf("%s: it runs", path)
		}
	}
}

func TestEveryBarRowHasWords(t *testing.T) {
	body := get(withPast(t, fleetPage(7), 40), "/history").Body.String()
	rows := regexp.MustCompile(`<svg class="bars[^>]*>`).FindAllString(body, -1)
	if len(rows) < 40 {
		t.Fatalf("%d rows of bars", len(rows))
	}
	for _, r := range rows {
		if !regexp.MustCompile(`role="img" aria-label="[^"]{10,}"`).MatchString(r) {
			t.Errorf("a drawing without words: %s", r)
		}
	}
}

// TestEverythingIsSaidInJapanese reads the words out of templates and code.
func TestEverythingIsSaidInJapanese(t *testing.T) {
	said := regexp.MustCompile(`Say "([^"]+)"|\bSay\("([^"]+)"`)
	files, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	code, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	check := func(where, key string) {
		keys++
		w, ok := wordsInJapanese()[key]
		if !ok {
			t.Errorf("%s: %q has no Japanese", where, key)
		}
		if strings.Count(w, "%") != strings.Count(key, "%") {
			t.Errorf("%q has other verbs than %q", w, key)
		}
	}
	for _, file := range append(files, code...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range said.FindAllStringSubmatch(string(b), -1) {
			check(file, m[1]+m[2])
		}
	}
	for _, x := range conditions {
		check("conditions", x.words)
	}
	for _, x := range impacts {
		check("impacts", x.words)
	}
	for _, x := range spans {
		check("spans", x.Words)
	}
	for _, x := range ago {
		check("moments", x.words)
	}
	for _, x := range (observersModel{frame: frameOf(english, "", "", "", "")}).CellForms() {
		check("cells", x.Words)
	}
	for _, x := range frameOf(english, "", "", "", "").Forms() {
		check("forms", x.Words)
	}
	if keys < 40 {
		t.Errorf("only %d texts were found", keys)
	}
}

func TestAShareIsNeverSaidToBeMoreThanItIs(t *testing.T) {
	for share, want := range map[float64]string{1: "100 %", 0.9999999: "99.999 %", 0.99989: "99.989 %", 0: "0.000 %"} {
		if got := english.Percent(share); got != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
}
