package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a server that shows p.
func open(t *testing.T, p status.Page) *Server {
	t.Helper()
	s := New(Config{})
	t.Cleanup(s.Close)
	s.SetPage(p)
	return s
}

func get(s http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestEveryPageRenders(t *testing.T) {
	for name, p := range map[string]status.Page{
		"empty": {Mode: status.Mode{Name: failover.Isolated}}, "calm": fleetPage(7), "lost": lostPage(), "storm": stormPage(), "ordered": orderedPage(),
	} {
		w := get(open(t, p), "/")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "</html>") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestTheModeComesFirst(t *testing.T) {
	body := get(open(t, stormPage()), "/").Body.String()
	mode, rest := strings.Index(body, `<h1 id="mode"`), strings.Index(body, `class="tiles"`)
	if mode < 0 || rest < mode {
		t.Fatalf("mode at %d, the rest at %d", mode, rest)
	}
	for _, want := range []string{"cascade</h1>", "66 of 200 members in trouble", "fewer than 20 in trouble", `aria-live="polite"`} {
		if !strings.Contains(body[:rest], want) {
			t.Errorf("%s is not above the rest", want)
		}
	}
}

func TestWhatPeopleForbidAndAllowIsShown(t *testing.T) {
	body := get(open(t, orderedPage()), "/").Body.String()
	for _, want := range []string{
		"H-401", "domain:b", "new power supplies", "people work there", "14:00:00", "(not signed)", "(not confirmed by the council)", "it is resumed",
		`href="/explain/R-408?lang=en"`, "both racks were moved", "bob alone", "R-408 waits until 12:09:00 for another operator than alice",
		"R-407 by bob alone takes effect at 12:14:00 unless another operator vetoes it", "plug pulled",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(get(open(t, fleetPage(7)), "/").Body.String(), "What people forbid") {
		t.Error("a page on which nobody orders anything has a place for it")
	}
	p := orderedPage()
	for range 20 {
		p.Holds, p.Requests = append(p.Holds, p.Holds[0]), append(p.Requests, p.Requests[2])
	}
	if body = get(open(t, p), "/").Body.String(); !strings.Contains(body, "And 15 more: moonwatch holds") || !strings.Contains(body, "And 17 more: moonwatch approvals") {
		t.Error("it does not say how many more there are")
	}
}

// TestWhyNothingHappensIsOneClickAway: a spare that is not ready is counted and named, and the
// mode, an agent that is in no roster and an incident have answers of their own.
func TestWhyNothingHappensIsOneClickAway(t *testing.T) {
	s := withPast(t, vacantPage(), 9)
	body := get(s, "/").Body.String()
	for _, want := range []string{"Not ready</th>", `<td class="n"><span class="state t-mind">`, `href="/explain/stray-1?lang=en"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for path, want := range map[string][]string{
		"/explain/web-1":   {"web-1 is not ready: no action", "/runbook/MoonwatchSparesLow"},
		"/explain/stray-1": {"is in no roster", "/runbook/MoonwatchUnlistedAgent"},
		"/explain/i-412":   {"I-412", `href="/explain/C-412?lang=en"`},
		"/explain/mode":    {"Mode: normal", "Budget: "},
		"/history":         {`href="/explain/mode?lang=en"`},
	} {
		body := get(s, path).Body.String()
		for _, x := range want {
			if !strings.Contains(body, x) {
				t.Errorf("%s lacks %q: %s", path, x, body)
			}
		}
	}
	if body := get(open(t, stormPage()), "/explain/mode").Body.String(); !strings.Contains(body, "/runbook/MoonwatchBrakeOn") {
		t.Errorf("a cascade does not lead to its runbook: %s", body)
	}
	if w := get(s, "/api/v1/explain/I-9"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "the last ones are I-") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

// TestWhoAsksTooMuchIsToldToComeBack: programs by a header, a browser by itself.
func TestWhoAsksTooMuchIsToldToComeBack(t *testing.T) {
	s := New(Config{Explain: func(id string) (status.Explanation, error) {
		return status.Explanation{}, fmt.Errorf("explain %q: %w", id, ErrBusy)
	}})
	defer s.Close()
	for _, path := range []string{"/api/v1/explain/V-12", "/explain/V-12", "/explain/V-12?lang=ja"} {
		w := get(s, path)
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %v", path, w.Code, w.Header())
		}
		if want := map[bool]string{false: "ask again in a moment", true: "もう一度試してください"}[strings.HasSuffix(path, "ja")]; !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s does not say %q: %s", path, want, w.Body)
		}
	}
}

// TestASlotThatDoesNotServeIsOneClickFromItsRunbook: also one that has no case to click on.
func TestASlotThatDoesNotServeIsOneClickFromItsRunbook(t *testing.T) {
	s := open(t, vacantPage())
	body := get(s, "/").Body.String()
	for _, id := range []string{"slot-0", "slot-9"} {
		if !strings.Contains(body, `href="/explain/`+id+`?lang=en"`) {
			t.Errorf("the page does not lead to %s", id)
		}
		why := get(s, "/explain/"+id).Body.String()
		if !strings.Contains(why, `href="/runbook/MoonwatchSlotNotServing?lang=en"`) {
			t.Errorf("the answer does not lead to the runbook: %s", why)
		}
	}
	if strings.Contains(get(s, "/explain/slot-1").Body.String(), "/runbook/MoonwatchSlotNotServing") {
		t.Error("a slot that serves leads to a runbook")
	}
}

func TestFirstViewIsAtMost30KB(t *testing.T) {
	for name, p := range map[string]status.Page{"calm": fleetPage(7), "lost": lostPage(), "calm 200": fleetPage(200), "storm 200": stormPage()} {
		s := open(t, p)
		html := get(s, "/", "Accept-Encoding", "gzip")
		plain, err := gzip.NewReader(bytes.NewReader(html.Body.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(plain)
		if err != nil {
			t.Fatal(err)
		}
		total := html.Body.Len()
		loaded := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(string(body), -1)
		seen := map[string]bool{}
		for _, m := range loaded {
			if !seen[m[1]] {
				seen[m[1]] = true
				total += get(s, m[1], "Accept-Encoding", "gzip").Body.Len()
			}
		}
		if len(seen) < 4 || total > 30_000 {
			t.Errorf("%s: %d bytes in the page and %d assets, want at most 30,000", name, total, len(seen))
		}
		t.Logf("%s: html %d (plain %d), all %d bytes", name, html.Body.Len(), len(body), total)
	}
}

func TestNothingInlineUnderAStrictPolicy(t *testing.T) {
	s := open(t, lostPage())
	for _, path := range []string{"/", "/explain/web-7", "/explain/nobody"} {
		w := get(s, path)
		if got := w.Header().Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s: policy %q", path, got)
		}
		body := w.Body.String()
		for what, re := range map[string]string{
			"inline script": `<script(?:[^>]*)>[^<]`, "script without src": `<script(?:\s+defer)?>`, "inline style": `<style|\sstyle=`,
			"event handler": `\son[a-z]+=`, "foreign address": `(?:src|href)="(?:https?:)?//`, "javascript address": `(?i)javascript:`,
		} {
			if m := regexp.MustCompile(re).FindString(body); m != "" {
				t.Errorf("%s: %s: %s", path, what, m)
			}
		}
	}
}

// evil is what a name would be that wants to run in somebody's browser.
const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`

// evilPage has it in every name and label, and in what people and decisions wrote.
func evilPage() status.Page {
	p := lostPage()
	p.Cluster, p.Headline, p.Self.Name, p.Self.Version = evil, evil, evil, evil
	p.Mode.Why, p.Mode.Ends, p.Mode.Open = evil, evil, []member.ID{evil, "javascript:alert(1)"}
	p.Council = status.Council{
		Councillors: []member.ID{evil, "javascript:alert(1)"}, Learners: []member.ID{evil + "2"}, Leader: evil,
		Lost: []status.LostSeat{{Member: evil, Why: evil}}, OneSided: evil, Waits: evil,
	}
	p.Members[0].ID, p.Members[0].Domain, p.Members[0].Slot = evil, evil, evil
	p.Slots[0].ID, p.Slots[0].Occupant = evil, evil
	p.Pools[0].Name, p.Pools[0].Armed = evil, false
	p.Unlisted = []status.Unlisted{{ID: evil, Addr: evil}}
	p.Cases[0].Why, p.Cases[0].Passages[0].Detail = evil, evil
	p.Verdicts[0].Findings[0].Subject, p.Verdicts[0].Findings[0].Tallies[0].Votes[0].Evidence = evil, evil
	p.Facts[0].Line, p.Stats[0].Value = evil, evil
	p.Holds = []status.Hold{{ID: evil, Key: evil, Kind: evil, Means: evil, Scope: evil, Reason: evil, By: evil}}
	p.Requests = []status.Request{{ID: evil, Act: evil, About: evil, Asks: evil, Reason: evil, By: evil, State: evil, Open: true, Void: evil, AnsweredBy: evil}}
	return p
}

func TestMarkupInNamesIsText(t *testing.T) {
	s := open(t, evilPage())
	v := s.current()
	explain := get(s, "/explain/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
	for what, body := range map[string]string{
		"page": string(v.html[english]().plain), "fragment": string(v.event[english]().plain), "explain": explain.Body.String(),
		"page in Japanese": string(v.html[japanese]().plain), "fragment in Japanese": string(v.event[japanese]().plain),
	} {
		for _, bad := range []string{"<script>", "<img src=x", `href="javascript:`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s lets %s through", what, bad)
			}
		}
	}
	if w := get(s, "/api/v1/page"); strings.Contains(w.Body.String(), "<script") {
		t.Error("JSON that a browser sniffs as a page")
	}
}

func TestStatusIsNeverToldByColourAlone(t *testing.T) {
	body := get(open(t, lostPage()), "/").Body.String()
	for _, m := range regexp.MustCompile(`<span class="state [^"]*"><span class="mark" aria-hidden="true"></span>([^<]*)<`).FindAllStringSubmatch(body, -1) {
		if m[1] == "" {
			t.Errorf("a state without a word: %s", m[0])
		}
	}
}

func TestTablesNameThemselvesAndTheirHeads(t *testing.T) {
	body := get(open(t, stormPage()), "/").Body.String()
	tables, captions := strings.Count(body, "<table"), strings.Count(body, "<caption>")
	if tables == 0 || tables != captions {
		t.Errorf("%d tables, %d captions", tables, captions)
	}
	if m := regexp.MustCompile(`<th(?: class="[^"]*")?>`).FindString(body); m != "" {
		t.Errorf("a head without scope: %s", m)
	}
	for _, landmark := range []string{"<header>", "<main id=\"main\">", "<footer", `lang="en"`, `class="skip"`} {
		if !strings.Contains(body, landmark) {
			t.Errorf("%s is missing", landmark)
		}
	}
}

func TestThePageWorksWithoutScripts(t *testing.T) {
	body := get(open(t, lostPage()), "/").Body.String()
	if !strings.Contains(body, `<noscript><meta http-equiv="refresh" content="5"></noscript>`) || !strings.Contains(body, "C-412") {
		t.Error("without scripts nothing would move")
	}
}

func TestReadOnly(t *testing.T) {
	s := open(t, fleetPage(7))
	for _, path := range []string{"/", "/api/v1/page", "/events", "/assets/x/page.css", "/-/ready", "/nowhere"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
}

func TestJSONOfEachPart(t *testing.T) {
	p := lostPage()
	s := open(t, p)
	for path, n := range map[string]int{"members": 7, "slots": 6, "verdicts": 2, "failovers": 2, "facts": 6} {
		w := get(s, "/api/v1/"+path)
		var got map[string]json.RawMessage
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var list []json.RawMessage
		if err := json.Unmarshal(got[path], &list); err != nil || len(list) != n || string(got["schema"]) != "1" {
			t.Errorf("%s: %d entries, want %d (%v)", path, len(list), n, err)
		}
		if w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", path, w.Header().Get("Content-Type"))
		}
	}
	var back status.Page
	if err := json.Unmarshal(get(s, "/api/v1/page").Body.Bytes(), &back); err != nil || back.Headline != p.Headline {
		t.Errorf("page does not survive the trip: %v", err)
	}
	if w := get(s, "/api/v1/nothing"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "there are /api/v1/page") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestExplainAnswersOrSaysWhichIDsExist(t *testing.T) {
	s := open(t, lostPage())
	var e status.Explanation
	if w := get(s, "/api/v1/explain/V-411"); w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &e) != nil || len(e.Lines) < 8 || e.Verdict == nil {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, id := range []string{"web-99", "V-1000000", "V-12x", "", "a/b", "%00"} {
		w := get(s, "/api/v1/explain/"+id)
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "web-7") {
			t.Errorf("%q: %d %s", id, w.Code, w.Body)
		}
		if w := get(s, "/explain/"+id); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "web-7") {
			t.Errorf("page of %q: %d", id, w.Code)
		}
	}
	if w := get(s, "/explain/C-412"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "  12:00:15.2 ACTIVATING") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestExplainMayBeAnsweredElsewhere(t *testing.T) {
	s := New(Config{Explain: func(id string) (status.Explanation, error) {
		return status.Explanation{}, errors.New("the loop is gone")
	}})
	defer s.Close()
	if w := get(s, "/api/v1/explain/V-1"); w.Code != http.StatusInternalServerError {
		t.Errorf("%d", w.Code)
	}
}

func TestAnUnchangedAnswerIsNotSentAgain(t *testing.T) {
	s := open(t, lostPage())
	for _, path := range []string{"/", "/api/v1/page", "/api/v1/explain/V-411"} {
		for _, encoding := range []string{"", "gzip"} {
			first := get(s, path, "Accept-Encoding", encoding)
			tag := first.Header().Get("Etag")
			for _, sent := range []string{tag, "W/" + tag, `"x", ` + tag} {
				if w := get(s, path, "Accept-Encoding", encoding, "If-None-Match", sent); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
					t.Errorf("%s %q: %d", path, sent, w.Code)
				}
			}
			if w := get(s, path, "Accept-Encoding", encoding, "If-None-Match", `"old"`); w.Code != http.StatusOK {
				t.Errorf("%s: %d for an old tag", path, w.Code)
			}
		}
	}
}

func TestAssetsAreKeptForEverUnderTheirStampOnly(t *testing.T) {
	s := open(t, fleetPage(7))
	for name := range assets {
		if w := get(s, base+"/"+name); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	if w := get(s, "/assets/000000000000/page.css"); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("an old stamp: %d %s", w.Code, w.Header().Get("Cache-Control"))
	}
	for _, path := range []string{base + "/page.html", base + "/../web.go", "/assets/"} {
		if w := get(s, path); w.Code == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

func TestBeforeTheFirstPageEverythingSaysSo(t *testing.T) {
	s := New(Config{})
	defer s.Close()
	for _, path := range []string{"/", "/api/v1/page", "/api/v1/explain/V-1", "/explain/V-1", "/events", "/-/ready"} {
		if w := get(s, path); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, path := range []string{"/", "/history", "/observers"} {
		if w := get(s, path); !strings.Contains(w.Body.String(), `href="/api/v1/page"`) {
			t.Errorf("%s leads to no JSON that there will be: %s", path, w.Body)
		}
	}
	if w := get(s, "/-/healthy"); w.Code != http.StatusOK {
		t.Errorf("healthy: %d", w.Code)
	}
}

// TestARetiredMemberWhoseAgentIsGoneHasNoAddress: nor is it said to be in view.
func TestARetiredMemberWhoseAgentIsGoneHasNoAddress(t *testing.T) {
	s := New(Config{})
	defer s.Close()
	p := fleetPage(7)
	p.Unlisted = []status.Unlisted{{ID: "web-14", Retired: true}}
	s.SetPage(p)
	for path, want := range map[string][]string{
		"/?lang=en": {"<caption>Not in the roster: agents in view, and retired members</caption>", `web-14</a></th><td>gone</td>`},
		"/?lang=ja": {"<caption>名簿にないもの：検出中のエージェントと引退したメンバー</caption>", `web-14</a></th><td>不在</td>`},
	} {
		for _, w := range want {
			if body := get(s, path).Body.String(); !strings.Contains(body, w) {
				t.Errorf("%s has no %q", path, w)
			}
		}
	}
}

func TestHooksAnswerTheProbes(t *testing.T) {
	bad := fmt.Errorf("disk is full")
	s := New(Config{Healthy: func() error { return bad }, Ready: func() error { return bad }})
	defer s.Close()
	s.SetPage(fleetPage(7))
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		if w := get(s, path); w.Code != http.StatusServiceUnavailable || w.Body.String() != "disk is full\n" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	bad = nil
	if w := get(s, "/-/ready"); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPagesAreShownAtMostFiveTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		defer s.Close()
		p := fleetPage(7)
		for i := range 1000 { // 10 s of a fact every 10 ms
			p.Knowledge.Head = uint64(i)
			s.SetPage(p)
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
		}
		if got := testutil.ToFloat64(s.metrics.pages); got < 45 || got > 52 {
			t.Errorf("%v pages in 10 s, want about 50", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.current().page.Knowledge.Head; got != 999 {
			t.Errorf("the last page is lost: %d", got)
		}
	})
}

func TestTimeAloneIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		defer s.Close()
		p := fleetPage(7)
		s.SetPage(p)
		first := s.current()
		for range 30 {
			time.Sleep(time.Second)
			p.Now = p.Now.Add(time.Second)
			p.Knowledge.AsOf = p.Now
			p.Stats = []status.Stat{{Name: "memory", Value: p.Now.String()}}
			s.SetPage(p)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		v := s.current()
		select {
		case <-first.superseded:
			t.Error("open streams were told")
		default:
		}
		if v.id != first.id || p.Now.Sub(v.page.Now) > pageIdle || v.heard.Load() != p.Now.UnixMilli() {
			t.Errorf("id %s after %s, as of %v at %v", v.id, first.id, v.page.Now, p.Now)
		}
	})
}

func TestMetricsAreWellFormed(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := New(Config{Registerer: reg})
	defer s.Close()
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
