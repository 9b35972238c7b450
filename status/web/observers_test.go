package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
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
		"/observers?at=-60":                  {`aria-current="true">1 h ago`, "1 of 7 members", `value="-60" aria-valuetext="May 4, 1`},
		"/observers?at=-185":                 {`value="-185" aria-valuetext="May 4, 0`},
		"/observers?at=0":                    {`aria-current="true">now`, `value="0" aria-valuetext="now"`},
		"/observers?at=-99999":               {`aria-current="true">now`},
		"/observers?at=99999999999999999999": {`aria-current="true">now`},
		"/observers?at=%3Cscript%3E":         {`aria-current="true">now`},
		"/observers?lang=ja&at=3h":           {`lang="ja"`, "横：観測者、縦：対象", `href="/observers?lang=en&amp;at=3h"`},
	} {
		w := get(s, path)
		for _, x := range want {
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), x) {
				t.Errorf("%s: %d, lacks %q", path, w.Code, x)
			}
		}
		if foreignScript(w.Body.String()) {
			t.Errorf("%s has a script that is not ours", path)
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
	m := observersOf(english, p, status.Sights{AsOf: noon}, seen{}, noon, "")
	if m.Edges != 3200 || strings.Count(m.Matrix.Paths[0].Path, "M") != 3200 || len(m.Matrix.Labels) != 0 {
		t.Errorf("%d edges", m.Edges)
	}
	v := lostPage().Verdicts[0]
	m = observersOf(english, watched(lostPage()), status.Sights{AsOf: noon, Verdicts: []status.Verdict{v}}, seen{}, noon.Add(time.Minute), "")
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
			total, body := transferred(t, withLive(t, p, failing), "/observers?lang="+lang)
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
	if foreignScript(get(withSights(t, p), "/observers").Body.String()) {
		t.Error("it runs")
	}
}

// foreignScript reports a script element that is none of the page's own two.
func foreignScript(body string) bool {
	return strings.Count(body, "<script") != strings.Count(body, `<script src="`+base+"/")
}

// seenLive is what every observer of a page sees: all is calm but for the rows given.
func seenLive(p status.Page, odd map[member.ID]func(observer member.ID) status.LiveSees) status.Live {
	x := status.Live{AsOf: p.Now, Self: p.Self.Name}
	sees := map[member.ID][]status.LiveSees{}
	for _, m := range p.Members {
		for i, o := range m.Observers {
			s := status.LiveSees{Subject: m.ID, RTTMicros: int64(300 + 7*i)}
			if f := odd[m.ID]; f != nil {
				s = f(o)
			}
			sees[o] = append(sees[o], s)
		}
	}
	for _, m := range p.Members {
		x.By = append(x.By, status.LiveFrom{Observer: m.ID, At: p.Now, Sees: sees[m.ID]})
	}
	slices.SortFunc(x.By, func(a, b status.LiveFrom) int { return strings.Compare(string(a.Observer), string(b.Observer)) })
	return x
}

// withLive shows what observers see now, too.
func withLive(t *testing.T, p status.Page, live func(p status.Page) status.Live) *Server {
	t.Helper()
	s := withSights(t, p)
	s.cfg.Live = func() status.Live { return live(watched(p)) }
	return s
}

// failing is a fleet in which web-3 is accused by nobody's verdict yet, and web-2 loses probes.
func failing(p status.Page) status.Live {
	return seenLive(p, map[member.ID]func(member.ID) status.LiveSees{
		"web-3": func(member.ID) status.LiveSees {
			return status.LiveSees{Subject: "web-3", RTTMicros: 400, LossPct: 12, LostRun: 5, SilentFor: 1240, Accuses: agent.Silence}
		},
		"web-2": func(o member.ID) status.LiveSees {
			return status.LiveSees{Subject: "web-2", RTTMicros: 12345, LossPct: 20, Uneasy: o == "web-1"}
		},
	})
}

func TestAccusationsAreSeenBeforeAnyVerdict(t *testing.T) {
	p := fleetPage(7)
	s := withLive(t, p, failing)
	body := get(s, "/observers").Body.String()
	for _, want := range []string{
		"Nobody stood under a verdict at", "Who sees trouble now", "says down", "loses probes", "1.2 s", "12 ms", "20 %",
		"What web-1 sees", "7 of 7 were heard",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %q", want)
		}
	}
	m := observersOf(english, watched(p), status.Sights{AsOf: noon}, seen{Live: ptr(failing(watched(p)))}, noon, "")
	count := map[string]int{}
	for _, x := range m.Matrix.Paths {
		count[x.Tone] = strings.Count(x.Path, "M")
	}
	if count["bad"] != 6 || count["busy"] != 1 || count["none"] != 35 || count["calm"] != 0 {
		t.Errorf("%v", count)
	}
	if at := get(s, "/observers?at=1h").Body.String(); strings.Contains(at, "Who sees trouble now") {
		t.Error("what is seen now is shown of an hour ago")
	}
	var x struct{ Live status.Live }
	if err := json.Unmarshal(get(s, "/api/v1/observers").Body.Bytes(), &x); err != nil || len(x.Live.By) != 7 {
		t.Errorf("%v: %+v", err, x)
	}
}

func ptr[T any](x T) *T { return &x }

// TestWhoIsNotHeardIsNotCalm: an observer of whom nothing is known does not look well.
func TestWhoIsNotHeardIsNotCalm(t *testing.T) {
	p := watched(fleetPage(7))
	live := seenLive(p, nil)
	live.By[1] = status.LiveFrom{Observer: live.By[1].Observer, Trouble: "not in view"}
	m := observersOf(english, p, status.Sights{AsOf: noon}, seen{Live: &live}, noon, "")
	count := map[string]int{}
	for _, x := range m.Matrix.Paths {
		count[x.Tone] = strings.Count(x.Path, "M")
	}
	if count["calm"] != 6 || count["none"] != 36 || len(m.Live.Mute) != 1 {
		t.Errorf("%v, %v", count, m.Live.Mute)
	}
}

// TestTheMatrixAndItsTableSayTheSame of an edge that was never answered: it was not heard yet,
// and loses probes once it does; and an observer that watches nobody was heard all the same.
func TestTheMatrixAndItsTableSayTheSame(t *testing.T) {
	at := noon
	live := &status.Live{AsOf: at, Self: "web-1", By: []status.LiveFrom{
		{Observer: "web-1", At: at, Sees: []status.LiveSees{
			{Subject: "web-2", Uneasy: true},
			{Subject: "web-3", Uneasy: true, LostRun: 4},
			{Subject: "web-4", RTTMicros: 300},
		}},
		{Observer: "web-2", At: at},
		{Observer: "web-3", Trouble: "not in view"},
	}}
	m := liveOf(live)
	if m.Heard != 2 || len(m.Mute) != 1 || m.Mute[0].Observer != "web-3" {
		t.Errorf("%d were heard, and these were not: %+v", m.Heard, m.Mute)
	}
	words := map[member.ID]string{}
	for _, e := range m.Own {
		words[e.Subject] = e.Word + " " + m.At[[2]member.ID{"web-1", e.Subject}]
	}
	for subject, want := range map[member.ID]string{"web-2": "not heard yet calm", "web-3": "loses probes busy", "web-4": "answers none"} {
		if words[subject] != want {
			t.Errorf("%s: %s, want %s", subject, words[subject], want)
		}
	}
	if len(m.Edges) != 2 {
		t.Errorf("of these something is said: %+v", m.Edges)
	}
}

// TestNothingIsLiveWithoutAScript that keeps it so: the mark is shown by the script.
func TestNothingIsLiveWithoutAScript(t *testing.T) {
	s := withLive(t, fleetPage(7), failing)
	for path, past := range map[string]bool{"/observers": false, "/observers?at=1h": true} {
		_, tag, _ := strings.Cut(get(s, path).Body.String(), `id="live"`)
		tag, _, _ = strings.Cut(tag, ">")
		if !strings.HasSuffix(tag, " hidden") || strings.Contains(tag, "data-past") != past {
			t.Errorf("%s: %s", path, tag)
		}
	}
}

// looksBack shows what observers saw at moments that have passed, too.
func looksBack(t *testing.T, p status.Page, then func(p status.Page) status.Live) (s *Server, asked *[]time.Time) {
	t.Helper()
	s, asked = withSights(t, p), new([]time.Time)
	s.cfg.Then = func(at time.Time) (status.Live, bool) {
		*asked = append(*asked, at)
		x := then(watched(p))
		x.Moment = at.Truncate(5 * time.Second)
		for i := range x.By {
			for j := range x.By[i].Sees {
				x.By[i].Sees[j].Since = x.Moment.Add(-time.Minute)
			}
		}
		return x, true
	}
	return s, asked
}

// TestThePastIsDrawnAsThePresentIs with who knows of it, and since when trouble was seen.
func TestThePastIsDrawnAsThePresentIs(t *testing.T) {
	p := fleetPage(7)
	forgets := func(p status.Page) status.Live {
		x := failing(p)
		x.By[6] = status.LiveFrom{Observer: x.By[6].Observer, Trouble: "it knows nothing of before"}
		return x
	}
	s, asked := looksBack(t, p, forgets)
	for path, wants := range map[string][]string{
		"/observers?at=1h": {
			"Who saw trouble then", ": 6 of 7 know of that moment.", "Not known: <span", "Accused of", "says down", "loses probes",
			`datetime="` + p.Now.Add(-time.Hour-time.Minute).Truncate(5*time.Second).UTC().Format(time.RFC3339),
		},
		"/observers?at=1h&lang=ja": {"その時点の異常", "（6 / 7 が記憶）。", "不明： <span"},
	} {
		body := get(s, path).Body.String()
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		for _, no := range []string{"kept nowhere", "What web-1 sees", "data-again", "Ask again"} {
			if strings.Contains(body, no) {
				t.Errorf("%s has %q", path, no)
			}
		}
	}
	if at := (*asked)[0]; !at.Equal(p.Now.Add(-time.Hour)) {
		t.Errorf("asked of %v", at)
	}
	var doc status.ObserversDocument
	if err := json.Unmarshal(get(s, "/api/v1/observers?at=1h").Body.Bytes(), &doc); err != nil || doc.Live != nil || doc.Then == nil || doc.Then.Heard() != 6 || doc.Then.Moment.IsZero() {
		t.Errorf("%v: %+v", err, doc)
	}
	*asked = nil
	if get(s, "/observers"); *asked != nil {
		t.Errorf("of now, the past was asked: %v", *asked)
	}
}

// TestWhoComesWhileOthersLookBackIsToldSo and sees the votes, and what is kept of that is
// shown to nobody who comes later.
func TestWhoComesWhileOthersLookBackIsToldSo(t *testing.T) {
	s, _ := looksBack(t, lostPage(), failing)
	free := s.cfg.Then
	s.cfg.Then = func(time.Time) (status.Live, bool) { return status.Live{}, false }
	for range 2 {
		body := get(s, "/observers?at=1h").Body.String()
		for _, want := range []string{"others look back", "1 of 7 members", "data-again", `at=1h">Ask again</a>`} {
			if !strings.Contains(body, want) {
				t.Errorf("lacks %q", want)
			}
		}
	}
	if body := get(s, "/api/v1/observers?at=1h").Body.String(); !strings.Contains(body, `"busy":true`) {
		t.Error("the JSON does not say so")
	}
	s.cfg.Then = func(at time.Time) (status.Live, bool) {
		x, ok := free(at)
		x.Partial = true
		return x, ok
	}
	if body := get(s, "/observers?at=1h").Body.String(); !strings.Contains(body, "Some observers are being asked.") || !strings.Contains(body, "Who saw trouble then") {
		t.Error("who has answered is not shown")
	}
	s.cfg.Then = func(at time.Time) (status.Live, bool) {
		x, ok := free(at)
		x.AsOf = x.AsOf.Add(time.Second)
		return x, ok
	}
	if body := get(s, "/observers?at=1h").Body.String(); strings.Contains(body, "others look back") || strings.Contains(body, "data-again") || !strings.Contains(body, "Who saw trouble then") {
		t.Error("a page is shown of when others looked back")
	}
	for i := range 3 * keptPages {
		get(s, "/observers?at=-"+strconv.Itoa(i+1))
	}
	if n := len(s.sights.pages); n > keptPages {
		t.Errorf("%d pages are kept", n)
	}
}

// TestThePastHasTheEdgesOfThen where observers know them: an observer that watched a subject
// then, and not one that did not, whoever watches it today.
func TestThePastHasTheEdgesOfThen(t *testing.T) {
	p := watched(fleetPage(3))
	then := seenLive(p, nil)
	then.Moment = noon.Add(-time.Hour)
	then.By[0].Sees = then.By[0].Sees[:1]
	m := observersOf(english, p, status.Sights{AsOf: noon}, seen{Live: &then}, noon.Add(-time.Hour), "1h")
	if m.Edges != 5 || strings.Count(m.Matrix.Paths[0].Path, "M") != 5 {
		t.Errorf("%d edges: %+v", m.Edges, m.Matrix.Paths)
	}
	for i := range p.Members {
		p.Members[i].Observers = nil
	}
	if m = observersOf(english, p, status.Sights{AsOf: noon}, seen{Live: &then}, noon.Add(-time.Hour), "1h"); m.Edges != 5 {
		t.Errorf("%d edges, although the overlay has another form today", m.Edges)
	}
}

func TestThePastOfTwoHundredIsAtMost30KB(t *testing.T) {
	for name, p := range map[string]status.Page{"calm": fleetPage(200), "storm": stormPage()} {
		for _, lang := range []string{"en", "ja"} {
			s, _ := looksBack(t, p, failing)
			total, body := transferred(t, s, "/observers?at=1h&lang="+lang)
			t.Logf("%s %s: %d bytes, %d plain", name, lang, total, len(body))
			if total > 30_000 {
				t.Errorf("%s %s: %d bytes, want at most 30,000", name, lang, total)
			}
		}
	}
}
