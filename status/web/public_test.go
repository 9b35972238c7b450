package web

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moonwatch/status"
)

// public makes the page for people outside of a fleet whose slots and past are n.
func publicPage(t *testing.T, n int, policy status.PublicPolicy) http.Handler {
	t.Helper()
	page := fleetPage(n)
	past := pastOf(status.Day, 90, len(page.Slots))
	for i := range page.Slots {
		page.Slots[i].ID, page.Slots[i].Pool = past.Slots[i].ID, past.Slots[i].Pool
	}
	page.Slots[1].State = status.SlotTrouble
	page.Now, page.Knowledge.AsOf = noon, noon
	s := open(t, page)
	s.SetPast(past)
	return s.Public(policy)
}

var shop = status.PublicPolicy{Title: "Night <Shop>", URL: "https://status.example.com/", Pools: []string{"web", "api"}}

func TestThePublicPageIsInBothLanguages(t *testing.T) {
	h := publicPage(t, 11, shop)
	for path, want := range map[string][]string{
		"/":         {`lang="en"`, "Partly not served", "Night &lt;Shop&gt;", "partly not served", "goes on, for 14 min", `href="/?lang=ja"`},
		"/?lang=ja": {`lang="ja"`, "一部が停止しています", "過去 90 日間", `href="/?lang=en"`},
	} {
		body := get(h, path).Body.String()
		for _, x := range want {
			if !strings.Contains(body, x) {
				t.Errorf("%s lacks %q", path, x)
			}
		}
		for _, inside := range []string{"web-9", "C-412", "/explain", "/history", "demo"} {
			if strings.Contains(body, inside) {
				t.Errorf("%s tells of %q", path, inside)
			}
		}
	}
}

func TestThePublicPageHasNoOtherPaths(t *testing.T) {
	h := publicPage(t, 11, shop)
	for _, path := range []string{"/history", "/explain/web-1", "/events", "/api/v1/page", "/api/v1/history/day", "/-/ready", "/metrics", "/api/v2/other.json"} {
		if w := get(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v2/status.json", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	empty := New(Config{})
	defer empty.Close()
	if w := get(empty.Public(shop), "/"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without a page: %d", w.Code)
	}
}

// TestWhatReadsStatuspageReadsThis decodes as clients of Statuspage's API do, by the
// fields that its documentation names.
func TestWhatReadsStatuspageReadsThis(t *testing.T) {
	h := publicPage(t, 11, shop)
	type update struct{ Status, Body string }
	type incident struct {
		Status, Impact, Shortlink string
		ResolvedAt                *time.Time `json:"resolved_at"`
		Updates                   []update   `json:"incident_updates"`
		Components                []struct{ Name string }
	}
	var summary struct {
		Page struct {
			ID, Name, URL string
			TimeZone      string    `json:"time_zone"`
			UpdatedAt     time.Time `json:"updated_at"`
		}
		Status     struct{ Indicator, Description string }
		Components []struct {
			ID, Name, Status string
			PageID           string `json:"page_id"`
		}
		Incidents   []incident
		Maintenance []struct{} `json:"scheduled_maintenances"`
	}
	w := get(h, "/api/v2/summary.json")
	if err := json.Unmarshal(w.Body.Bytes(), &summary); err != nil {
		t.Fatal(err)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a page of another site may not read it")
	}
	if summary.Page.Name != "Night <Shop>" || summary.Page.TimeZone != "Etc/UTC" || summary.Status.Indicator != "minor" || summary.Maintenance == nil {
		t.Errorf("%+v", summary)
	}
	if c := summary.Components; len(c) != 2 || c[0].Status != "partial_outage" || c[1].Status != "operational" || c[0].PageID != summary.Page.ID {
		t.Errorf("%+v", c)
	}
	if len(summary.Incidents) != 1 {
		t.Fatalf("unresolved: %+v", summary.Incidents)
	}
	i := summary.Incidents[0]
	if i.Status != "investigating" || i.ResolvedAt != nil || len(i.Updates) != 1 || i.Components[0].Name != "web" || !strings.HasPrefix(i.Shortlink, shop.URL) {
		t.Errorf("%+v", i)
	}
	var all struct{ Incidents []incident }
	if err := json.Unmarshal(get(h, "/api/v2/incidents.json").Body.Bytes(), &all); err != nil || len(all.Incidents) < 4 {
		t.Fatalf("%v: %+v", err, all)
	}
	if x := all.Incidents[1]; x.Status != "resolved" || x.ResolvedAt == nil || x.Updates[0].Status != "resolved" {
		t.Errorf("%+v", x)
	}
	for _, name := range []string{"status", "components", "incidents/unresolved"} {
		if w := get(h, "/api/v2/"+name+".json"); w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) || !strings.Contains(w.Body.String(), `"page":{`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// Slots are shown as a group of the pool, where they are shown.
	each := shop
	each.Slots = true
	if body := get(publicPage(t, 11, each), "/api/v2/components.json").Body.String(); !strings.Contains(body, `"group":true`) || !strings.Contains(body, `"name":"web-1"`) {
		t.Errorf("%s", body)
	}
}

func TestTheFeedIsAtom(t *testing.T) {
	w := get(publicPage(t, 11, shop), "/feed.atom")
	var feed atomFeed
	if err := xml.Unmarshal(w.Body.Bytes(), &feed); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	ids := map[string]bool{feed.ID: true}
	for _, e := range feed.Entries {
		if ids[e.ID] || !strings.HasPrefix(e.ID, "urn:") || e.Title == "" || e.Content.Text == "" {
			t.Errorf("%+v", e)
		}
		ids[e.ID] = true
		for _, at := range []string{e.Updated, e.Published, feed.Updated} {
			if _, err := time.Parse(time.RFC3339, at); err != nil {
				t.Error(err)
			}
		}
	}
	if len(feed.Entries) < 4 || feed.Title != shop.Title || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/atom+xml") {
		t.Errorf("%+v", feed)
	}
}

func TestAPublicPageThatIsOldSaysSo(t *testing.T) {
	page := fleetPage(7)
	page.Knowledge.Current, page.Knowledge.AsOf = false, noon.Add(-time.Hour)
	s := open(t, page)
	s.SetPast(pastOf(status.Day, 90, 6))
	h := s.Public(shop)
	if body := get(h, "/").Body.String(); !strings.Contains(body, "What is shown is as old as 2026-05-04 11:00:00 UTC.") {
		t.Error("the page does not say it")
	}
	if body := get(h, "/api/v2/status.json").Body.String(); !strings.Contains(body, "(as of 2026-05-04 11:00 UTC)") {
		t.Errorf("%s", body)
	}
}

func TestThePublicPageIsAtMost30KB(t *testing.T) {
	each := shop
	each.Slots = true
	for _, path := range []string{"/", "/?lang=ja"} {
		total, _ := transferred(t, publicPage(t, 240, each), path)
		t.Logf("%s: %d bytes", path, total)
		if total > 30_000 {
			t.Errorf("%s: %d bytes, want at most 30,000", path, total)
		}
	}
}

func TestAPoolThatIsNotKnownIsNotServed(t *testing.T) {
	typo := shop
	typo.Pools = []string{"wbe"}
	h := publicPage(t, 11, typo)
	for path, want := range map[string]string{"/": "Not known what is served", "/?lang=ja": "稼働状況は不明です"} {
		if body := get(h, path).Body.String(); !strings.Contains(body, want) || strings.Contains(body, "Everything is served") {
			t.Errorf("%s lacks %q", path, want)
		}
	}
	body := get(h, "/api/v2/summary.json").Body.String()
	if strings.Contains(body, "operational") || !strings.Contains(body, `"components":[]`) || !strings.Contains(body, `"indicator":"unknown"`) {
		t.Error(body)
	}
}

func TestWithoutAFactThereIsNoPublicPage(t *testing.T) {
	page := fleetPage(7)
	page.Knowledge.Current, page.Knowledge.AsOf = false, time.Time{}
	s := open(t, page)
	s.SetPast(pastOf(status.Day, 90, 6))
	for _, path := range []string{"/", "/api/v2/status.json"} {
		if w := get(s.Public(shop), path); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
