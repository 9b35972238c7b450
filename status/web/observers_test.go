package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// watched gives every member of a page its observers: at most 16, spread over the fleet.
func watched(p status.Page) status.Page {
	ids := make([]member.ID, len(p.Members))
	for i, m := range p.Members {
		ids[i] = m.ID
	}
	slices.Sort(ids)
	k := min(16, len(ids)-1)
	p.Members = slices.Clone(p.Members)
	for i, m := range p.Members {
		at := slices.Index(ids, m.ID)
		for j := range k {
			p.Members[i].Observers = append(p.Members[i].Observers, ids[(at+1+j*(len(ids)-1)/k)%len(ids)])
		}
	}
	return p
}

// withSights shows who saw whom, too: what the page's verdicts say.
func withSights(t *testing.T, p status.Page) *Server {
	t.Helper()
	s := withPast(t, watched(p), 9)
	x := status.Sights{AsOf: p.Now, Begun: noon.Add(-80 * 24 * time.Hour), Verdicts: slices.Clone(p.Verdicts)}
	slices.Reverse(x.Verdicts)
	for i := range x.Verdicts {
		x.Verdicts[i].At = x.Verdicts[i].At.Add(-time.Duration(len(x.Verdicts)-1-i) * 3 * time.Hour)
	}
	s.SetSights(x)
	return s
}

func TestObserversAreShownNowAndBefore(t *testing.T) {
	s := withSights(t, lostPage())
	for path, want := range map[string][]string{
		"/observers":                         {`aria-current="true">now`, "2 of 7 members", "5 say down, 1 still reach it", "silent for 1.", `href="/explain/V-411?lang=en"`, "Who calls several down"},
		"/observers?at=1h":                   {`aria-current="true">1 h ago`, "1 of 7 members", `href="/explain/V-398?lang=en"`},
		"/observers?at=24h":                  {"Nobody stood under a verdict at", "It never counted until then."},
		"/observers?at=2026-05-04T11:00:00Z": {"1 of 7 members"},
		"/observers?at=2036-05-04T11:00:00Z": {`aria-current="true">now`},
		"/observers?at=%3Cscript%3E":         {`aria-current="true">now`},
		"/observers?lang=ja&at=3h":           {`lang="ja"`, "横：観測者、縦：対象", `href="/observers?lang=en&amp;at=3h"`},
	} {
		w := get(s, path)
		for _, x := range want {
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), x) {
				t.Errorf("%s: %d, lacks %q", path, w.Code, x)
			}
		}
		if strings.Contains(w.Body.String(), "<script") {
			t.Errorf("%s has a script", path)
		}
	}
	if w := get(open(t, fleetPage(7)), "/observers"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without sights: %d", w.Code)
	}
}

func TestObserversAsJSON(t *testing.T) {
	var x struct{ Subjects []status.Regarded }
	if err := json.Unmarshal(get(withSights(t, lostPage()), "/api/v1/observers").Body.Bytes(), &x); err != nil || len(x.Subjects) != 2 || len(x.Subjects[0].By) != 6 {
		t.Errorf("%v: %+v", err, x)
	}
	if body := get(withSights(t, fleetPage(7)), "/api/v1/observers").Body.String(); !strings.Contains(body, `"subjects":[]`) {
		t.Errorf("calm: %s", body)
	}
}

func TestTheMatrixDrawsEachEdgeOnce(t *testing.T) {
	p := watched(fleetPage(200))
	m := observersOf(english, p, status.Sights{AsOf: noon}, noon, "")
	if m.Edges != 3200 || strings.Count(m.Matrix.Paths[0].Path, "M") != 3200 || len(m.Matrix.Labels) != 0 {
		t.Errorf("%d edges", m.Edges)
	}
	v := lostPage().Verdicts[0]
	m = observersOf(english, watched(lostPage()), status.Sights{AsOf: noon, Verdicts: []status.Verdict{v}}, noon.Add(time.Minute), "")
	count := map[string]int{}
	for _, x := range m.Matrix.Paths {
		count[x.Tone] = strings.Count(x.Path, "M")
	}
	if count["bad"] != 5 || count["mind"] != 1 || count["none"] != 36 || len(m.Matrix.Labels) != 7 {
		t.Errorf("%v", count)
	}
}

func TestObserversOfTwoHundredAreAtMost30KB(t *testing.T) {
	for name, p := range map[string]status.Page{"calm": fleetPage(200), "storm": stormPage()} {
		for _, lang := range []string{"en", "ja"} {
			total, body := transferred(t, withSights(t, p), "/observers?lang="+lang)
			t.Logf("%s %s: %d bytes, %d plain", name, lang, total, len(body))
			if total > 30_000 {
				t.Errorf("%s %s: %d bytes, want at most 30,000", name, lang, total)
			}
		}
	}
}

func TestMarkupInVotesIsText(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	p := lostPage()
	for i := range p.Members {
		p.Members[i].ID, p.Members[i].Domain = member.ID(evil+string(rune('a'+i))), evil
	}
	v := &p.Verdicts[0].Findings[0]
	v.Subject, v.Kind = p.Members[0].ID, evil
	for i := range v.Tallies[0].Votes {
		v.Tallies[0].Votes[i].Observer, v.Tallies[0].Votes[i].Evidence = p.Members[i%6].ID, evil
	}
	if strings.Contains(get(withSights(t, p), "/observers").Body.String(), "<script") {
		t.Error("it runs")
	}
}
